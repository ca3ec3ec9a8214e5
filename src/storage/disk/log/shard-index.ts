import { RECORD_HEADER_BYTES } from "./record-format.ts";
import { type RecordPlace, RecordSlots } from "./record-slots.ts";
import { addLive, type Extent } from "./segment.ts";

/** Below this many released slots, moving the rest down is not worth a look. */
const MIN_RELEASED_TO_COMPACT = 64;

/**
 * Where the records of one shard are.
 *
 * Invariant: the record of sequence s, for first ≤ s ≤ last, is in slot `#offset + s - first`.
 * Slots below `#offset` are released, and given back in bulk.
 */
export class ShardIndex {
  #slots = new RecordSlots();
  #offset = 0;
  #first: number;
  /** The newest batch that tells which sequence is the last. */
  trace: Extent;
  /** Set while the shard is damaged; it holds no records then. */
  damage: Error | undefined;

  constructor(next: number, trace: Extent) {
    this.#first = next;
    this.trace = trace;
  }

  get first(): number {
    return this.#first;
  }

  get last(): number {
    return this.#first + this.#slots.length - this.#offset - 1;
  }

  get isEmpty(): boolean {
    return this.#slots.length === this.#offset;
  }

  append(extent: Extent, at: number, payloadBytes: number): void {
    this.#slots.push(extent, at, payloadBytes);
    this.trace = extent;
    addLive(extent, RECORD_HEADER_BYTES + payloadBytes);
  }

  /** The record is at another place now. */
  move(sequence: number, place: RecordPlace): void {
    const slot = this.#slot(sequence);
    this.#drop(slot, slot + 1);
    this.#slots.move(slot, place.extent, place.at);
    if (sequence === this.last) this.trace = place.extent;
    addLive(place.extent, RECORD_HEADER_BYTES + place.payloadBytes);
  }

  /** Puts records in front, lowest sequence first. Does not count them: they were counted. */
  prepend(places: readonly RecordPlace[]): void {
    const slots = new RecordSlots();
    for (const { extent, at, payloadBytes } of places) slots.push(extent, at, payloadBytes);
    for (let slot = this.#offset; slot < this.#slots.length; slot += 1) {
      const { extent, at, payloadBytes } = this.#slots.placeOf(slot);
      slots.push(extent, at, payloadBytes);
    }
    this.#slots = slots;
    this.#offset = 0;
    this.#first -= places.length;
  }

  at(sequence: number): RecordPlace | undefined {
    if (sequence < this.#first || sequence > this.last) return undefined;
    return this.#slots.placeOf(this.#slot(sequence));
  }

  extentOf(sequence: number): Extent {
    return this.#slots.extentOf(this.#slot(sequence));
  }

  /** Drops what is above `sequence`, which is at least `first - 1`. */
  truncate(sequence: number): void {
    const kept = this.#offset + sequence - this.#first + 1;
    if (kept >= this.#slots.length) return;
    this.#drop(kept, this.#slots.length);
    this.#slots.truncate(kept);
  }

  release(sequence: number): void {
    const count = Math.min(sequence, this.last + 1) - this.#first;
    if (!(count > 0)) return;
    const end = this.#offset + count;
    this.#drop(this.#offset, end);
    this.#first += count;
    this.#offset = end;
    this.#compact();
  }

  /** Drops all records and goes on with `next`. */
  restart(next: number): void {
    this.release(this.last + 1);
    this.#first = next;
  }

  #compact(): void {
    const end = this.#offset;
    const isAll = end === this.#slots.length;
    if (!isAll && (end < MIN_RELEASED_TO_COMPACT || end * 2 < this.#slots.length)) return;
    this.#slots.shift(end);
    this.#offset = 0;
  }

  /** What is in these slots is needed no more; neighbours of one batch count as one. */
  #drop(from: number, to: number): void {
    let slot = from;
    while (slot < to) {
      const extent = this.#slots.extentOf(slot);
      let bytes = 0;
      for (; slot < to && this.#slots.extentOf(slot) === extent; slot += 1) {
        bytes += RECORD_HEADER_BYTES + this.#slots.payloadBytesOf(slot);
      }
      addLive(extent, -bytes);
    }
  }

  #slot(sequence: number): number {
    return this.#offset + sequence - this.#first;
  }
}
