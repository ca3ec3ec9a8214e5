import { keyText } from "../../../core/model/key-text.ts";
import type { EncodedState } from "./encoded-state.ts";

/** Of records, one shard. Decoded they take some ten times as much. */
const MAX_BYTES = 1024 * 1024;
const MAX_KEYS = 64;

interface Entry {
  readonly record: Uint8Array;
  readonly encoded: EncodedState;
}

/**
 * Decoded states of the keys that were written last, beside the records that they stand for. What
 * is remembered of another record than the one that is held is not used: nobody has to say that a
 * record was replaced, whether a step was taken back or anything else has written the key.
 *
 * Bounded by the records' bytes and in number; the one that was written last always stays.
 */
export class HotStates {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(key: Uint8Array, record: Uint8Array): EncodedState | undefined {
    const entry = this.#entries.get(keyText(key));
    if (entry === undefined) return undefined;
    const isSame = entry.record === record || Buffer.compare(entry.record, record) === 0;
    return isSame ? entry.encoded : undefined;
  }

  remember(key: Uint8Array, record: Uint8Array, encoded: EncodedState): void {
    const text = keyText(key);
    this.#forget(text);
    this.#entries.set(text, { record, encoded });
    this.#bytes += record.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= MAX_KEYS) return;
      if (oldest !== text) this.#forget(oldest);
    }
  }

  #forget(text: string): void {
    this.#bytes -= this.#entries.get(text)?.record.length ?? 0;
    this.#entries.delete(text);
  }
}
