import type { Durability } from "../../../core/model/durability.ts";
import { Batch, type BatchEpoch } from "./batch.ts";
import type { RecordToEncode } from "./record-format.ts";
import { SlabPool } from "./slab.ts";

export interface BatchQueueStart {
  readonly epoch: BatchEpoch;
  readonly lastPosition: number;
  /** First batch that the log needs. */
  readonly start: number;
  readonly maxBatchBytes: number;
}

/**
 * Batches that are not written yet: those that were flushed, those that are full, and the one that
 * takes records.
 */
export class BatchQueue {
  readonly #epoch: BatchEpoch;
  readonly #maxBatchBytes: number;
  readonly #slabs = new SlabPool();
  /** Sealed, in order; the first `#flushed` of them may be written. */
  readonly #sealed: Batch[] = [];
  #flushed = 0;
  #open: Batch | undefined;
  #nextSequence: number;
  #lastPosition: number;
  #start: number;
  #unflushedPositions = 0;

  constructor({ epoch, lastPosition, start, maxBatchBytes }: BatchQueueStart) {
    this.#epoch = epoch;
    this.#nextSequence = epoch.epochStart;
    this.#lastPosition = lastPosition;
    this.#start = start;
    this.#maxBatchBytes = maxBatchBytes;
  }

  get lastPosition(): number {
    return this.#lastPosition;
  }

  /** Whether somebody else has appended what is not flushed. */
  get hasUnflushedPositions(): boolean {
    return this.#unflushedPositions > 0;
  }

  /** Of the batch that the next record may go to. */
  get openSequence(): number {
    return this.#open?.sequence ?? this.#nextSequence;
  }

  /** Answers the batch that the record is the newest of, for now. */
  add(record: RecordToEncode, durability: Durability): Batch {
    const batch = this.#batchFor(record.payload.length);
    const positions = batch.positions;
    batch.add(record, durability);
    this.#lastPosition += batch.positions - positions;
    this.#unflushedPositions += batch.positions - positions;
    return batch;
  }

  /** The log needs nothing before this batch, once what was added until now is durable. */
  startAt(sequence: number): void {
    this.#start = sequence;
    if (this.#open !== undefined) this.#open.start = sequence;
  }

  /** Makes a batch, even of nothing, of what was added. */
  seal(durability?: Durability): void {
    if (this.#open === undefined && durability !== undefined) this.#begin(0);
    if (durability !== undefined) this.#open?.demand(durability);
    this.#sealOpen();
  }

  /** All that was added may be written; returns the batches of which that is new. */
  flush(): readonly Batch[] {
    this.#sealOpen();
    const added = this.#sealed.slice(this.#flushed);
    this.#flushed = this.#sealed.length;
    this.#unflushedPositions = 0;
    return added;
  }

  /** The next batch that may be written. */
  get next(): Batch | undefined {
    return this.#flushed > 0 ? this.#sealed[0] : undefined;
  }

  /** Whether all that may be written is content to wait, and little. */
  canWait(limitBytes: number): boolean {
    let bytes = 0;
    for (let at = 0; at < this.#flushed; at += 1) {
      const batch = this.#sealed[at] as Batch;
      bytes += batch.span;
      if (!batch.isLazy || bytes > limitBytes) return false;
    }
    return true;
  }

  /**
   * Takes out what is written next: at least one batch, up to `room` bytes of a segment and to the
   * bound of one write. The first batch of an epoch goes alone: all others rest on it.
   */
  take(room: number): Batch[] {
    const limit = Math.min(room, this.#maxBatchBytes);
    let bytes = 0;
    let count = 0;
    while (count < this.#flushed) {
      const batch = this.#sealed[count] as Batch;
      bytes += batch.span;
      if (count > 0 && bytes > limit) break;
      count += 1;
      if (batch.sequence === this.#epoch.epochStart) break;
    }
    this.#flushed -= count;
    return this.#sealed.splice(0, count);
  }

  #batchFor(payloadBytes: number): Batch {
    const open = this.#open;
    if (open !== undefined) {
      const span = open.spanWith(payloadBytes);
      if (open.isEmpty && span <= open.slab.room) return open;
      if (span <= this.#maxBatchBytes && span <= open.slab.room) return open;
      this.#sealOpen();
    }
    return this.#begin(payloadBytes);
  }

  #begin(payloadBytes: number): Batch {
    const slab = this.#slabs.take(Batch.spanOfOne(payloadBytes));
    const position = this.#lastPosition + 1;
    this.#open = new Batch(slab, this.#epoch, this.#nextSequence, position, this.#start);
    this.#nextSequence += 1;
    return this.#open;
  }

  #sealOpen(): void {
    if (this.#open === undefined) return;
    this.#open.seal();
    this.#sealed.push(this.#open);
    this.#open = undefined;
  }
}
