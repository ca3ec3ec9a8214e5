import type { Environment, TimerHandle } from "../../../core/contracts/environment.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { Batch, BatchEpoch } from "./batch.ts";
import { frameBatch, MARK_BYTES, MARK_ROOM_BYTES, markOffset } from "./batch-format.ts";
import type { BatchQueue } from "./batch-queue.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import type { PlantedLogBugs } from "./planted-bugs.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSupply } from "./segment-supply.ts";

/** Up to here, a copy into the system's memory costs less than the way to another thread. */
const WRITE_NOW_BYTES = 64 * 1024;
/** So much of `memory` durability waits for company. */
const LAZY_BYTES = 256 * 1024;
/** Of the checksum of no bytes. */
const NO_RECORDS = 0;

export interface LogWriterOptions {
  readonly environment: Environment;
  readonly options: ResolvedLogOptions;
  readonly queue: BatchQueue;
  readonly supply: SegmentSupply;
  readonly epoch: BatchEpoch;
  readonly lastPosition: number;
  readonly nextGeneration: number;
  /** A segment goes into use; its batches follow. */
  readonly onActivated: (segment: Segment) => void;
  /** All batches up to this one are on stable storage. */
  readonly onSynced: (sequence: number) => void;
  /** All records up to this position are durable as they were asked for. */
  readonly planted: PlantedLogBugs;
  readonly onDurable: (position: number) => void;
  /** Once, and never inside a call. */
  readonly onFailed: (error: CapstanError) => void;
}

/**
 * Group commit without a timer: one write and sync at a time, and the next takes all that was
 * flushed meanwhile. The first that fails is the last.
 *
 * `durable ≤ last`, `synced ≤ written`, each in order: what is announced is always a beginning.
 */
export class LogWriter {
  readonly #parts: LogWriterOptions;
  /** Flushed, and not durable as they were asked for. */
  readonly #waiting: Batch[] = [];
  readonly #mark = Buffer.alloc(MARK_BYTES);
  #active: Segment | undefined;
  #nextGeneration: number;
  #writtenSequence: number;
  #writtenPosition: number;
  #writtenStart = 0;
  #syncedSequence: number;
  #syncedPosition: number;
  #durablePosition: number;
  #flushedSequence = 0;
  /** The synced sequence that the newest batch or mark in the file tells of. */
  #toldSequence = 0;
  /** Payload bytes that are not durable as they were asked for, flushed or not. */
  queuedBytes = 0;
  #busySinceMs: number | undefined;
  #isDirty = false;
  /** Whatever is written is synced now. */
  #isUrgent = false;
  #isAnnouncing = false;
  #lazyTimer: TimerHandle | undefined;
  #isMarkDue = false;
  #failure: CapstanError | undefined;
  #onDrained: (() => void) | undefined;

  constructor(parts: LogWriterOptions) {
    this.#parts = parts;
    this.#nextGeneration = parts.nextGeneration;
    this.#writtenSequence = parts.epoch.epochStart - 1;
    this.#syncedSequence = this.#writtenSequence;
    this.#writtenPosition = parts.lastPosition;
    this.#syncedPosition = parts.lastPosition;
    this.#durablePosition = parts.lastPosition;
  }

  get durablePosition(): number {
    return this.#durablePosition;
  }

  get syncedPosition(): number {
    return this.#syncedPosition;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** How long what is under way has been so. */
  get busyMs(): number {
    if (this.#busySinceMs === undefined) return 0;
    return this.#parts.environment.monotonicMs() - this.#busySinceMs;
  }

  /** May announce before it returns. */
  flush(): void {
    for (const batch of this.#parts.queue.flush()) {
      this.#waiting.push(batch);
      this.#flushedSequence = batch.sequence;
    }
    this.#pump();
    this.#announce();
  }

  /** Writes and syncs everything, unless the log has failed, then answers. */
  drain(done: () => void): void {
    this.#onDrained = done;
    this.#isUrgent = true;
    this.flush();
    if (this.#failure !== undefined) this.#drained();
  }

  #pump(): void {
    while (this.#busySinceMs === undefined && this.#failure === undefined) {
      const next = this.#parts.queue.next;
      if (next === undefined) return this.#rest();
      if (!this.#isUrgent && this.#parts.queue.canWait(LAZY_BYTES)) return this.#syncLater();
      const active = this.#active;
      if (active !== undefined && roomIn(active) >= next.span) this.#write(active);
      else if (this.#isDirty) this.#sync();
      else this.#roll();
    }
  }

  /** Nothing is to be written. */
  #rest(): void {
    if (this.#isDirty) {
      if (this.#isUrgent) this.#sync();
      else this.#syncLater();
      return;
    }
    if (this.#onDrained !== undefined) return this.#writeLastMark();
    this.#isUrgent = false;
    if (this.#toldSequence === this.#syncedSequence || this.#isMarkDue) return;
    this.#isMarkDue = true;
    this.#parts.environment.soon(() => {
      this.#isMarkDue = false;
      if (this.#canMark()) this.#writeMark();
    });
  }

  #write(segment: Segment): void {
    const batches = this.#parts.queue.take(roomIn(segment));
    const pieces = this.#frame(segment, batches);
    this.#begin();
    const bytes = pieces.reduce((total, piece) => total + piece.bytes.length, 0);
    if (bytes > WRITE_NOW_BYTES) return this.#writePieces(segment, pieces, batches);
    try {
      for (const piece of pieces) segment.file.writeNow(piece.bytes, piece.offset);
    } catch (error) {
      return this.#fail("write", segment, error as Error);
    }
    this.#wrote(segment, batches);
  }

  #writePieces(segment: Segment, pieces: Piece[], batches: readonly Batch[]): void {
    const piece = pieces.shift();
    if (piece === undefined) {
      this.#wrote(segment, batches);
      this.#pump();
      return this.#announce();
    }
    segment.file.write(piece.bytes, piece.offset, (error) => {
      if (error === undefined) this.#writePieces(segment, pieces, batches);
      else this.#fail("write", segment, error);
    });
  }

  /** Batches that lie side by side in memory are written as one. */
  #frame(segment: Segment, batches: readonly Batch[]): Piece[] {
    const pieces: Piece[] = [];
    let previous: Batch | undefined;
    let offset = segment.end;
    for (const batch of batches) {
      const bytes = batch.frame(segment, this.#syncedSequence);
      const last = pieces.at(-1);
      const isNext = previous !== undefined && previous.from + previous.span === batch.from;
      if (last !== undefined && isNext && previous?.slab === batch.slab) {
        const from = batch.from - last.bytes.length;
        last.bytes = batch.slab.bytes.subarray(from, batch.from + bytes.length);
      } else {
        pieces.push({ bytes, offset });
      }
      offset += bytes.length;
      previous = batch;
    }
    return pieces;
  }

  #wrote(segment: Segment, batches: readonly Batch[]): void {
    let needsSync = this.#isUrgent;
    for (const batch of batches) {
      const { span } = batch;
      batch.written(segment, segment.end);
      segment.end += span;
      this.#writtenSequence = batch.sequence;
      this.#writtenPosition = batch.lastPosition;
      this.#writtenStart = batch.start;
      needsSync ||= batch.needsSync;
    }
    this.#toldSequence = this.#syncedSequence;
    this.#isDirty = true;
    this.#busySinceMs = undefined;
    if (needsSync) this.#sync();
  }

  #sync(): void {
    const segment = this.#active as Segment;
    const sequence = this.#writtenSequence;
    const position = this.#writtenPosition;
    this.#begin();
    segment.file.sync((error) => {
      if (error !== undefined) return this.#fail("sync", segment, error);
      this.#busySinceMs = undefined;
      this.#isDirty = false;
      this.#syncedSequence = sequence;
      this.#syncedPosition = position;
      this.#cancelLazySync();
      this.#parts.onSynced(sequence);
      this.#pump();
      this.#announce();
    });
  }

  #syncLater(): void {
    const { environment, options } = this.#parts;
    this.#lazyTimer ??= environment.setTimer(options.lazySyncMs, () => {
      this.#lazyTimer = undefined;
      this.#isUrgent = true;
      this.#pump();
      this.#announce();
    });
  }

  #cancelLazySync(): void {
    if (this.#lazyTimer !== undefined) this.#parts.environment.clearTimer(this.#lazyTimer);
    this.#lazyTimer = undefined;
  }

  /** Goes on in the next segment. All that was written is synced. */
  #roll(): void {
    this.#begin();
    this.#parts.supply.take((error, segment) => {
      if (error !== undefined) return this.#fail("make", undefined, error);
      this.#busySinceMs = undefined;
      segment.activate(this.#nextGeneration, this.#writtenSequence + 1);
      this.#nextGeneration += 1;
      this.#active = segment;
      this.#parts.onActivated(segment);
      this.#parts.supply.prepare();
      this.#pump();
      this.#announce();
    });
  }

  /**
   * The newest batch's header once more, where later batches overwrite it: without it nothing would
   * tell that the newest batch was synced, and damage to that one would be taken for a torn tail.
   * In a sector of its own, so that one that is lost does not take both.
   */
  #writeMark(): void {
    const segment = this.#active as Segment;
    const { logId, epoch, epochStart } = this.#parts.epoch;
    const header = {
      logId,
      epoch,
      epochStart,
      recordsBytes: 0,
      shardCount: 0,
      positions: 0,
      firstPosition: this.#writtenPosition + 1,
      generation: segment.generation,
      sequence: this.#writtenSequence,
      mark: this.#syncedSequence,
      start: this.#writtenStart,
      recordsChecksum: NO_RECORDS,
    };
    frameBatch(this.#mark, 0, header, []);
    try {
      segment.file.writeNow(this.#mark, markOffset(segment.end));
      this.#toldSequence = this.#syncedSequence;
    } catch (error) {
      this.#fail("write", segment, error as Error);
    }
  }

  #canMark(): boolean {
    const segment = this.#active;
    if (segment === undefined || this.#failure !== undefined || this.#isDirty) return false;
    return this.#busySinceMs === undefined && this.#parts.queue.next === undefined;
  }

  #writeLastMark(): void {
    if (!this.#canMark()) return this.#drained();
    this.#writeMark();
    if (this.#failure !== undefined) return;
    const segment = this.#active as Segment;
    this.#begin();
    segment.file.sync((error) => {
      if (error !== undefined) return this.#fail("sync", segment, error);
      this.#drained();
    });
  }

  #drained(): void {
    this.#cancelLazySync();
    const done = this.#onDrained;
    this.#onDrained = undefined;
    if (done !== undefined) this.#parts.environment.defer(done);
  }

  #begin(): void {
    this.#busySinceMs = this.#parts.environment.monotonicMs();
  }

  /** A handler may append and flush: that is announced when it has returned, never within it. */
  #announce(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    try {
      while (this.#advance()) this.#parts.onDurable(this.#durablePosition);
    } finally {
      this.#isAnnouncing = false;
    }
  }

  /** Whether a position has become durable that was not. */
  #advance(): boolean {
    if (this.#failure !== undefined) return false;
    let count = 0;
    let position = this.#durablePosition;
    for (const batch of this.#waiting) {
      if (!this.#isDurable(batch)) break;
      count += 1;
      position = batch.lastPosition;
      this.queuedBytes -= batch.payloadBytes;
    }
    this.#waiting.splice(0, count);
    const hasRisen = position > this.#durablePosition;
    this.#durablePosition = position;
    return hasRisen;
  }

  #isDurable(batch: Batch): boolean {
    const waits = batch.needsSync && this.#parts.planted.syncNotAwaited !== true;
    if (waits) return batch.sequence <= this.#syncedSequence;
    if (!batch.isLazy) return batch.sequence <= this.#writtenSequence;
    return batch.sequence <= this.#flushedSequence;
  }

  #fail(what: "write" | "sync" | "make", segment: Segment | undefined, cause: Error): void {
    const where = segment === undefined ? "the next segment of the log" : segment.file.path;
    const message = `cannot ${what} ${where}: ${cause.message}`;
    this.fail(new CapstanError("STORE_FAILED", message, { cause }));
  }

  /** Nothing is written any more, and nothing more is durable. The first failure counts. */
  fail(failure: CapstanError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#cancelLazySync();
    this.#parts.environment.defer(() => {
      this.#parts.onFailed(failure);
      this.#drained();
    });
  }
}

/** For batches, with the room for a mark behind them left free. */
function roomIn(segment: Segment): number {
  return segment.bytes - segment.end - MARK_ROOM_BYTES;
}

interface Piece {
  bytes: Uint8Array;
  readonly offset: number;
}
