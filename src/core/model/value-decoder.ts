import { MalformedBytesError } from "./malformed-bytes-error.ts";
import type { NameTable } from "./name-table.ts";
import { decodeUtf8 } from "./utf8.ts";
import {
  MAX_DATE_MS,
  MAX_VALUE_DEPTH,
  TAG_ARRAY,
  TAG_BIGINT,
  TAG_BYTES,
  TAG_DATE,
  TAG_FALSE,
  TAG_FLOAT,
  TAG_INTEGER,
  TAG_NEGATIVE,
  TAG_NEGATIVE_BIGINT,
  TAG_NULL,
  TAG_OBJECT,
  TAG_SMALL,
  TAG_TEXT,
  TAG_TRUE,
  VALUE_VERSION,
} from "./value-format.ts";

/** Up to here a loop beats a call into native code. */
const SHORT_TEXT = 24;

/**
 * Reads one canonical value (`value-format.ts`) and nothing else: damage, a second spelling of
 * the same value and trailing bytes are a `MalformedBytesError`. Allocates in step with the bytes
 * that are there, never with a length that they claim.
 */
export class ValueDecoder {
  readonly #buffer: Buffer;
  readonly #end: number;
  readonly #names: NameTable;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, names: NameTable) {
    this.#names = names;
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#end = bytes.length;
  }

  decode(): unknown {
    const version = this.#byte();
    if (version !== VALUE_VERSION) {
      throw new MalformedBytesError(`value codec ${version} is not ${VALUE_VERSION}`);
    }
    const value = this.#item();
    if (this.#at !== this.#end) {
      throw new MalformedBytesError(`${this.#end - this.#at} bytes behind the value`);
    }
    return value;
  }

  #item(): unknown {
    const tag = this.#byte();
    if (tag >= TAG_SMALL) return tag - TAG_SMALL;
    switch (tag) {
      case TAG_TEXT:
        return this.#text(this.#length());
      case TAG_OBJECT:
        return this.#object();
      case TAG_ARRAY:
        return this.#array();
      case TAG_NULL:
        return null;
      case TAG_FALSE:
        return false;
      case TAG_TRUE:
        return true;
      case TAG_INTEGER:
        return this.#integer();
      case TAG_NEGATIVE:
        return this.#negative();
      case TAG_FLOAT:
        return this.#float();
      case TAG_BYTES:
        return this.#bytes();
      case TAG_DATE:
        return this.#date();
      case TAG_BIGINT:
        return this.#bigint();
      case TAG_NEGATIVE_BIGINT:
        return this.#negativeBigint();
      default:
        throw new MalformedBytesError(`0x${tag.toString(16)} begins no value`);
    }
  }

  #object(): Record<string, unknown> {
    const count = this.#length();
    this.#enter();
    const result: Record<string, unknown> = {};
    let previous: string | undefined;
    for (let index = 0; index < count; index++) {
      const key = this.#name(this.#length());
      if (previous !== undefined && key <= previous) {
        throw new MalformedBytesError("the keys of an object do not rise");
      }
      previous = key;
      const value = this.#item();
      if (key === "__proto__") defineProto(result, value);
      else result[key] = value;
    }
    this.#depth--;
    return result;
  }

  #array(): unknown[] {
    const count = this.#length();
    this.#enter();
    const result: unknown[] = [];
    for (let index = 0; index < count; index++) result.push(this.#item());
    this.#depth--;
    return result;
  }

  #integer(): number {
    const value = this.#varint();
    if (value < TAG_SMALL) throw new MalformedBytesError(`${value} is spelt too long`);
    return value;
  }

  #negative(): number {
    const value = -1 - this.#varint();
    if (!Number.isSafeInteger(value)) throw new MalformedBytesError(`${value} is no safe integer`);
    return value;
  }

  #float(): number {
    const value = this.#double();
    if (!Number.isFinite(value) || Number.isSafeInteger(value)) {
      throw new MalformedBytesError(`${value} is not spelt as a double`);
    }
    return value;
  }

  #date(): Date {
    const ms = this.#double();
    if (!Number.isInteger(ms) || Math.abs(ms) > MAX_DATE_MS || Object.is(ms, -0)) {
      throw new MalformedBytesError(`${ms} is no time of a Date`);
    }
    return new Date(ms);
  }

  #bytes(): Uint8Array {
    const length = this.#length();
    const from = this.#take(length);
    const result = new Uint8Array(length);
    result.set(this.#buffer.subarray(from, from + length));
    return result;
  }

  #bigint(): bigint {
    const length = this.#length();
    if (length === 0) return 0n;
    const from = this.#take(length);
    if (this.#buffer[from] === 0) throw new MalformedBytesError("a bigint begins with a zero");
    return BigInt(`0x${this.#buffer.toString("hex", from, from + length)}`);
  }

  #negativeBigint(): bigint {
    const magnitude = this.#bigint();
    if (magnitude === 0n) throw new MalformedBytesError("a bigint of minus zero");
    return -magnitude;
  }

  #name(length: number): string {
    if (length === 0 || length > SHORT_TEXT) return this.#text(length);
    const buffer = this.#buffer;
    const from = this.#take(length);
    const known = this.#names.find(buffer, from, length);
    if (known !== undefined) return known;
    this.#at = from;
    const name = this.#text(length);
    // As many characters as bytes: ASCII alone, which is all that the table may hold.
    if (name.length === length) this.#names.keep(name);
    return name;
  }

  #text(length: number): string {
    const from = this.#take(length);
    const buffer = this.#buffer;
    if (length > SHORT_TEXT) return decodeUtf8(buffer, from, from + length);
    let text = "";
    for (let index = from; index < from + length; index++) {
      const code = buffer[index] as number;
      if (code > 0x7f) return decodeUtf8(buffer, from, from + length);
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** A varint that cannot be more than the bytes that are left: every element has at least one. */
  #length(): number {
    const length = this.#varint();
    if (length > this.#end - this.#at) {
      throw new MalformedBytesError(`length ${length}, but ${this.#end - this.#at} bytes left`);
    }
    return length;
  }

  #varint(): number {
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBytesError("a varint beyond 2^53");
      scale *= 128;
    } while (byte >= 0x80);
    if (byte === 0) throw new MalformedBytesError("a varint is spelt too long");
    return value;
  }

  #double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new MalformedBytesError("the value ends too early");
    return this.#buffer[this.#at++] as number;
  }

  #take(count: number): number {
    const from = this.#at;
    if (count > this.#end - from) throw new MalformedBytesError("the value ends too early");
    this.#at = from + count;
    return from;
  }

  #enter(): void {
    if (++this.#depth > MAX_VALUE_DEPTH) {
      throw new MalformedBytesError(`nested deeper than ${MAX_VALUE_DEPTH} levels`);
    }
  }
}

/** An assignment would set the prototype. */
function defineProto(target: object, value: unknown): void {
  Object.defineProperty(target, "__proto__", {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
