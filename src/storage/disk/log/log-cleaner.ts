import type { Durability } from "../../../core/model/durability.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import type { BatchQueue } from "./batch-queue.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import {
  DAMAGED_FLAG,
  NO_PAYLOAD,
  RECORD_HEADER_BYTES,
  RECORD_KINDS,
  UNKNOWN_SHARDS,
} from "./record-format.ts";
import type { RecordReader } from "./record-reader.ts";
import type { RecordPlace } from "./record-slots.ts";
import type { Segment } from "./segment.ts";
import type { ShardIndex } from "./shard-index.ts";
import type { ShardTable } from "./shard-table.ts";

/** Of cold records that are rewritten at once. */
const REWRITE_BYTES = 256 * 1024;
/** What the log writes for itself is safe as long as what it replaces is there. */
const OWN_DURABILITY: Durability = "os";

export interface LogCleanerOptions {
  readonly options: ResolvedLogOptions;
  readonly queue: BatchQueue;
  readonly table: ShardTable;
  readonly reader: RecordReader;
  /** In use, oldest first; the last one is written to. */
  readonly segments: readonly Segment[];
  /** The segment may be used anew. */
  readonly onFree: (segment: Segment) => void;
  /** What was added belongs to nobody else and may be flushed. */
  readonly onRewritten: () => void;
  readonly onDamaged: (shard: ShardId, error: Error) => void;
}

interface ColdRecords {
  readonly shard: ShardId;
  readonly index: ShardIndex;
  readonly from: number;
  readonly places: RecordPlace[];
}

/**
 * Gives segments back, oldest first.
 *
 * A segment goes when no record in it is needed. What it alone told of shards without records is
 * said again first; and where so much is held back by a few records that the log is far larger than
 * what is needed of it, those are rewritten at the tail. It is used anew only when a batch that
 * says that the log begins later is on stable storage.
 */
export class LogCleaner {
  readonly #parts: LogCleanerOptions;
  readonly #segments: Segment[];
  readonly #retired: { readonly segment: Segment; readonly after: number }[] = [];
  #isRewriting = false;
  #isStopped = false;

  constructor(parts: LogCleanerOptions) {
    this.#parts = parts;
    this.#segments = [...parts.segments];
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Those in use, and those that will be free. */
  allSegments(): Segment[] {
    return [...this.#segments, ...this.#retired.map(({ segment }) => segment)];
  }

  activated(segment: Segment): void {
    this.#segments.push(segment);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Adds what has to be said again to the open batch. Cheap where there is nothing to do. */
  clean(): void {
    if (this.#isStopped) return;
    const retired: Segment[] = [];
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || oldest.live > 0) break;
      this.#saySoFar(oldest);
      this.#segments.shift();
      retired.push(oldest);
    }
    if (retired.length > 0) this.#retire(retired);
    this.#maybeRewrite();
  }

  synced(sequence: number): void {
    for (;;) {
      const first = this.#retired[0];
      if (first === undefined || first.after > sequence || first.segment.readers > 0) return;
      this.#retired.shift();
      this.#parts.onFree(first.segment);
    }
  }

  /** Puts down how the shard stands, so that nothing older is needed to know. */
  writeStanding(shard: ShardId, index: ShardIndex): void {
    index.trace = this.#parts.queue.add(
      {
        kind: RECORD_KINDS.standing,
        flags: index.damage === undefined ? 0 : DAMAGED_FLAG,
        shard,
        sequence: index.last,
        payload: NO_PAYLOAD,
      },
      OWN_DURABILITY,
    );
  }

  /** The open batch is the first that says so: everything said again is in it, or before it. */
  #retire(segments: readonly Segment[]): void {
    const { queue } = this.#parts;
    queue.startAt((this.#segments[0] as Segment).firstSequence);
    for (const segment of segments) this.#retired.push({ segment, after: queue.openSequence });
  }

  #saySoFar(segment: Segment): void {
    for (const [shard, index] of this.#parts.table.all()) {
      if (index.isEmpty && index.trace.segment === segment) this.writeStanding(shard, index);
    }
  }

  #maybeRewrite(): void {
    if (this.#isRewriting || this.#segments.length < 2 || !this.#isTooLarge()) return;
    const work = this.#coldRecords(this.#segments[0] as Segment);
    if (work.length === 0) return;
    this.#isRewriting = true;
    this.#rewriteNext(work);
  }

  /** Then at least as much is given back as is written again. */
  #isTooLarge(): boolean {
    let bytes = 0;
    let live = 0;
    for (const segment of this.#segments) {
      bytes += segment.bytes;
      live += segment.live;
    }
    const { spareSegments, segmentBytes } = this.#parts.options;
    return bytes > 2 * live + spareSegments * segmentBytes;
  }

  /** Runs of records in the segment, up to the bound. */
  #coldRecords(segment: Segment): ColdRecords[] {
    const runs: ColdRecords[] = [];
    let bytes = 0;
    for (const [shard, index] of this.#parts.table.all()) {
      let run: ColdRecords | undefined;
      for (let sequence = index.first; sequence <= index.last; sequence += 1) {
        if (index.extentOf(sequence).segment !== segment) {
          run = undefined;
          continue;
        }
        const place = index.at(sequence) as RecordPlace;
        bytes += RECORD_HEADER_BYTES + place.payloadBytes;
        if (bytes > REWRITE_BYTES && runs.length > 0) return runs;
        if (run === undefined) {
          run = { shard, index, from: sequence, places: [] };
          runs.push(run);
        }
        run.places.push(place);
      }
    }
    return runs;
  }

  #rewriteNext(work: ColdRecords[]): void {
    const run = work.shift();
    if (run === undefined || this.#isStopped) {
      this.#isRewriting = false;
      if (!this.#isStopped) this.#parts.onRewritten();
      return;
    }
    this.#parts.reader.read(run, (error, records) => {
      if (this.#isStopped) return;
      if (error !== undefined) this.#parts.onDamaged(run.shard, error);
      else {
        for (const [at, { payload }] of records.entries()) this.#rewrite(run, at, payload);
      }
      this.#rewriteNext(work);
    });
  }

  /** Unless it was dropped, or moved, meanwhile. */
  #rewrite(run: ColdRecords, at: number, payload: Uint8Array): void {
    const place = run.places[at] as RecordPlace;
    const sequence = run.from + at;
    const index = this.#parts.table.get(run.shard);
    const now = index?.at(sequence);
    if (index === undefined || now?.extent !== place.extent || now.at !== place.at) return;
    const record = {
      kind: RECORD_KINDS.rewritten,
      flags: 0,
      shard: run.shard,
      sequence,
      payload,
    };
    const batch = this.#parts.queue.add(record, OWN_DURABILITY);
    index.move(sequence, { extent: batch, at: batch.lastAt, payloadBytes: payload.length });
  }
}

/** Whether a shard is one, and not what stands for those that nothing is known of. */
export function isShard(shard: ShardId): boolean {
  return Number.isSafeInteger(shard) && shard >= 0 && shard < UNKNOWN_SHARDS;
}
