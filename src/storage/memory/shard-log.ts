import type { LogReadResult, LogRecord } from "../../core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../core/model/ids.ts";

/** Below this many released slots, moving the rest down is not worth a look. */
const MIN_RELEASED_TO_COMPACT = 64;

/**
 * One shard's records in memory: their payloads, which is all that is not known without them.
 *
 * Invariant: the payload of sequence s, for first ≤ s ≤ last, is `#slots[#offset + s - first]`.
 * Slots below `#offset` are released and empty; they are given back in bulk, so that a release
 * costs O(1) per record, amortised.
 */
export class ShardLog {
  readonly #slots: (Uint8Array | undefined)[] = [];
  readonly #shard: ShardId;
  #offset = 0;
  #first: number;

  /** `next` is the sequence of the first record to come. */
  constructor(shard: ShardId, next: number) {
    if (!Number.isSafeInteger(next) || next < 1) {
      throw new RangeError(`a log cannot go on with sequence ${next}; sequences count from 1`);
    }
    this.#shard = shard;
    this.#first = next;
  }

  get last(): number {
    return this.#first + this.#slots.length - this.#offset - 1;
  }

  append(record: LogRecord): void {
    const next = this.last + 1;
    if (record.sequence !== next) {
      throw new RangeError(
        `sequence ${record.sequence} of shard ${record.shard} is out of order; next is ${next}`,
      );
    }
    this.#slots.push(record.payload);
  }

  truncateSuffix(sequence: number): void {
    const kept = sequence - this.#first + 1;
    if (!(kept >= 0)) {
      throw new RangeError(
        `the log cannot be cut to sequence ${sequence}: all below ${this.#first} is released`,
      );
    }
    if (sequence < this.last) this.#slots.length = this.#offset + kept;
  }

  release(sequence: number): void {
    const count = Math.min(sequence, this.last + 1) - this.#first;
    if (!(count > 0)) return;
    const end = this.#offset + count;
    this.#first += count;
    if (end === this.#slots.length) {
      this.#slots.length = 0;
      this.#offset = 0;
      return;
    }
    this.#slots.fill(undefined, this.#offset, end);
    this.#offset = end;
    if (end >= MIN_RELEASED_TO_COMPACT && end * 2 >= this.#slots.length) {
      this.#slots.splice(0, end);
      this.#offset = 0;
    }
  }

  read(from: number, maxBytes: number): LogReadResult {
    const start = Math.max(from, 1);
    if (start < this.#first) return { type: "compacted", first: this.#first as LogSequence };
    const records: LogRecord[] = [];
    let bytes = 0;
    let at = this.#offset + start - this.#first;
    for (; at < this.#slots.length; at += 1) {
      const payload = this.#slots[at] as Uint8Array;
      bytes += payload.length;
      if (records.length > 0 && bytes > maxBytes) break;
      const sequence = (this.#first + at - this.#offset) as LogSequence;
      records.push({ shard: this.#shard, sequence, payload });
    }
    return { type: "records", records, end: at >= this.#slots.length };
  }
}
