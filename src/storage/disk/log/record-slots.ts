import type { Extent } from "./segment.ts";

/** Where one record is: `at` counts from the beginning of its batch. */
export interface RecordPlace {
  readonly extent: Extent;
  readonly at: number;
  readonly payloadBytes: number;
}

/** Numbers of one slot: where it is in its batch, its payload's bytes, which batch that is. */
const WIDTH = 3;
const BYTES = 1;
const EXTENT = 2;
const FIRST_SLOTS = 5;
/** So much more room than was needed is given back. */
const SPARE = 4;

/**
 * Places of records, as numbers in one run of memory: an object for each, or an array of what each
 * refers to, would be looked at by every collection of garbage for as long as the record is needed.
 *
 * Invariant: every number of a batch is below `#extents.length`.
 */
export class RecordSlots {
  #numbers = new Uint32Array(FIRST_SLOTS * WIDTH);
  /** Batches that slots refer to; neighbours of one batch share its entry. */
  #extents: Extent[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(extent: Extent, at: number, payloadBytes: number): void {
    const from = this.#length * WIDTH;
    if (from === this.#numbers.length) this.#resize(2 * this.#length);
    const numbers = this.#numbers;
    numbers[from] = at;
    numbers[from + BYTES] = payloadBytes;
    numbers[from + EXTENT] = this.#numberOf(extent);
    this.#length += 1;
  }

  /** The record is at another place now; its payload is the same. */
  move(slot: number, extent: Extent, at: number): void {
    this.#numbers[slot * WIDTH] = at;
    this.#numbers[slot * WIDTH + EXTENT] = this.#numberOf(extent);
  }

  extentOf(slot: number): Extent {
    return this.#extents[this.#numbers[slot * WIDTH + EXTENT] as number] as Extent;
  }

  payloadBytesOf(slot: number): number {
    return this.#numbers[slot * WIDTH + BYTES] as number;
  }

  placeOf(slot: number): RecordPlace {
    return {
      extent: this.extentOf(slot),
      at: this.#numbers[slot * WIDTH] as number,
      payloadBytes: this.payloadBytesOf(slot),
    };
  }

  truncate(length: number): void {
    this.#length = length;
    this.#trimExtents();
  }

  /** The first `count` slots go; those behind them move up. */
  shift(count: number): void {
    const used = this.#length;
    this.#numbers.copyWithin(0, count * WIDTH, used * WIDTH);
    this.#length = used - count;
    this.#trimExtents();
    if (this.#numbers.length > SPARE * Math.max(used, FIRST_SLOTS) * WIDTH) this.#resize(2 * used);
  }

  /** Batches without a slot are let go of: those before the first that has one, and behind the last. */
  #trimExtents(): void {
    const end = this.#length * WIDTH;
    const numbers = this.#numbers;
    let first = this.#extents.length;
    let last = -1;
    for (let at = EXTENT; at < end; at += WIDTH) {
      const number = numbers[at] as number;
      first = Math.min(first, number);
      last = Math.max(last, number);
    }
    this.#extents = this.#extents.slice(first, last + 1);
    if (first === 0) return;
    for (let at = EXTENT; at < end; at += WIDTH) numbers[at] = (numbers[at] as number) - first;
  }

  #numberOf(extent: Extent): number {
    const last = this.#extents.length - 1;
    if (last >= 0 && this.#extents[last] === extent) return last;
    this.#extents.push(extent);
    return last + 1;
  }

  #resize(slots: number): void {
    const resized = new Uint32Array(Math.max(slots, FIRST_SLOTS) * WIDTH);
    resized.set(this.#numbers.subarray(0, this.#length * WIDTH));
    this.#numbers = resized;
  }
}
