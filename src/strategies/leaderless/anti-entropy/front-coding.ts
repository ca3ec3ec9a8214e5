import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";

const MAX_SHARED = 255;
const NO_KEY = new Uint8Array(0);

/**
 * Keys one behind another, each without what it shares with the one before: `u8 shared, u16 rest,
 * rest`. Messages of anti-entropy are made of neighbours in key order, and of spans of which one
 * begins where the other ends. A key of no bytes stands for none.
 */
export class KeyWriter {
  readonly #writer: ByteWriter;
  #last: Uint8Array = NO_KEY;

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  write(key: Uint8Array | undefined): void {
    if (key === undefined) {
      this.#writer.u8(0);
      this.#writer.u16(0);
      return;
    }
    const most = Math.min(MAX_SHARED, key.length, this.#last.length);
    let shared = 0;
    while (shared < most && key[shared] === this.#last[shared]) shared++;
    this.#writer.u8(shared);
    this.#writer.u16(key.length - shared);
    this.#writer.raw(key.subarray(shared));
    this.#last = key;
  }
}

export class KeyReader {
  readonly #reader: ByteReader;
  #last: Uint8Array = NO_KEY;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** The caller's own. @throws MalformedBytesError. */
  read(): Uint8Array | undefined {
    const shared = this.#reader.u8();
    const rest = this.#reader.raw(this.#reader.u16());
    if (shared > this.#last.length) {
      throw new MalformedBytesError(`${shared} bytes shared with a key of ${this.#last.length}`);
    }
    if (shared + rest.length === 0) return undefined;
    const key = new Uint8Array(shared + rest.length);
    key.set(this.#last.subarray(0, shared));
    key.set(rest, shared);
    this.#last = key;
    return key;
  }
}
