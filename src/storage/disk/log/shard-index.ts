import { RECORD_HEADER_BYTES } from "./record-format.ts";
import { addLive, type Extent } from "./segment.ts";

/** Below this many released slots, moving the rest down is not worth a look. */
const MIN_RELEASED_TO_COMPACT = 64;

/** Where one record is: `at` counts from the beginning of its batch. */
export interface RecordPlace {
  readonly extent: Extent;
  readonly at: number;
  readonly payloadBytes: number;
}

/**
 * Where the records of one shard are.
 *
 * Invariant: the record of sequence s, for first ≤ s ≤ last, is in slot `#offset + s - first`.
 * Slots below `#offset` are released, and given back in bulk.
 */
export class ShardIndex {
  #extents: (Extent | undefined)[] = [];
  #ats: number[] = [];
  #lengths: number[] = [];
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
    return this.#first + this.#extents.length - this.#offset - 1;
  }

  get isEmpty(): boolean {
    return this.#extents.length === this.#offset;
  }

  append(extent: Extent, at: number, payloadBytes: number): void {
    this.#extents.push(extent);
    this.#ats.push(at);
    this.#lengths.push(payloadBytes);
    this.trace = extent;
    addLive(extent, RECORD_HEADER_BYTES + payloadBytes);
  }

  /** The record is at another place now. */
  move(sequence: number, place: RecordPlace): void {
    const slot = this.#slot(sequence);
    this.#drop(slot);
    this.#extents[slot] = place.extent;
    this.#ats[slot] = place.at;
    if (sequence === this.last) this.trace = place.extent;
    addLive(place.extent, RECORD_HEADER_BYTES + place.payloadBytes);
  }

  /** Puts records in front, lowest sequence first. Does not count them: they were counted. */
  prepend(places: readonly RecordPlace[]): void {
    this.#extents = [
      ...places.map(({ extent }) => extent),
      ...this.#extents.slice(this.#offset),
    ] as Extent[];
    this.#ats = [...places.map(({ at }) => at), ...this.#ats.slice(this.#offset)];
    this.#lengths = [
      ...places.map(({ payloadBytes }) => payloadBytes),
      ...this.#lengths.slice(this.#offset),
    ];
    this.#offset = 0;
    this.#first -= places.length;
  }

  at(sequence: number): RecordPlace | undefined {
    if (sequence < this.#first || sequence > this.last) return undefined;
    const slot = this.#slot(sequence);
    return {
      extent: this.#extents[slot] as Extent,
      at: this.#ats[slot] as number,
      payloadBytes: this.#lengths[slot] as number,
    };
  }

  extentOf(sequence: number): Extent {
    return this.#extents[this.#slot(sequence)] as Extent;
  }

  /** Drops what is above `sequence`, which is at least `first - 1`. */
  truncate(sequence: number): void {
    const kept = this.#offset + sequence - this.#first + 1;
    for (let slot = kept; slot < this.#extents.length; slot += 1) this.#drop(slot);
    if (kept < this.#extents.length) this.#setLength(kept);
  }

  release(sequence: number): void {
    const count = Math.min(sequence, this.last + 1) - this.#first;
    if (!(count > 0)) return;
    const end = this.#offset + count;
    for (let slot = this.#offset; slot < end; slot += 1) {
      this.#drop(slot);
      this.#extents[slot] = undefined;
    }
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
    const isAll = end === this.#extents.length;
    if (!isAll && (end < MIN_RELEASED_TO_COMPACT || end * 2 < this.#extents.length)) return;
    this.#extents.splice(0, end);
    this.#ats.splice(0, end);
    this.#lengths.splice(0, end);
    this.#offset = 0;
  }

  #drop(slot: number): void {
    addLive(
      this.#extents[slot] as Extent,
      -(RECORD_HEADER_BYTES + (this.#lengths[slot] as number)),
    );
  }

  #setLength(length: number): void {
    this.#extents.length = length;
    this.#ats.length = length;
    this.#lengths.length = length;
  }

  #slot(sequence: number): number {
    return this.#offset + sequence - this.#first;
  }
}
