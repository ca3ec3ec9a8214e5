import { crc32 } from "node:zlib";
import type { Durability } from "../../../core/model/durability.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  batchSeed,
  frameBatch,
  spanOf,
} from "./batch-format.ts";
import {
  encodeRecord,
  hasPosition,
  RECORD_HEADER_BYTES,
  type RecordToEncode,
} from "./record-format.ts";
import type { Extent, Segment } from "./segment.ts";
import type { Slab } from "./slab.ts";

const RANKS: Readonly<Record<Durability, number>> = Object.freeze({ memory: 0, os: 1, fsync: 2 });

/** What all batches of one opening share. */
export interface BatchEpoch {
  readonly logId: number;
  readonly epoch: number;
  readonly epochStart: number;
}

/** One batch on its way: encoded into a slab as records come, framed when it is written. */
export class Batch implements Extent {
  readonly sequence: number;
  readonly seed: number;
  readonly firstPosition: number;
  readonly from: number;
  /** First batch that the log needs, once this one is durable. */
  start: number;
  segment: Segment | undefined;
  offset = 0;
  live = 0;
  memory: Uint8Array | undefined;
  positions = 0;
  /** Where the newest record is, counted from the beginning of the batch. */
  lastAt = 0;
  /** Payload bytes of its records: what `queuedBytes` counts. */
  payloadBytes = 0;
  readonly #slab: Slab;
  readonly #epoch: BatchEpoch;
  readonly #shards = new Set<ShardId>();
  #recordsBytes = 0;
  #rank = 0;

  constructor(
    slab: Slab,
    epoch: BatchEpoch,
    sequence: number,
    firstPosition: number,
    start: number,
  ) {
    this.#slab = slab;
    this.#epoch = epoch;
    this.sequence = sequence;
    this.firstPosition = firstPosition;
    this.start = start;
    this.seed = batchSeed(epoch.logId, epoch.epoch, sequence);
    this.from = slab.begin();
    this.memory = slab.bytes.subarray(this.from);
  }

  /** Bytes of a batch with one record of this size. */
  static spanOfOne(payloadBytes: number): number {
    return spanOf(RECORD_HEADER_BYTES + payloadBytes, 1);
  }

  get slab(): Slab {
    return this.#slab;
  }

  get isEmpty(): boolean {
    return this.#recordsBytes === 0;
  }

  /** Highest position that it has, or that was given before it. */
  get lastPosition(): number {
    return this.firstPosition + this.positions - 1;
  }

  get isLazy(): boolean {
    return this.#rank === 0;
  }

  get needsSync(): boolean {
    return this.#rank === 2;
  }

  get span(): number {
    return spanOf(this.#recordsBytes, this.#shards.size);
  }

  /** Its span with one more record of this size. */
  spanWith(payloadBytes: number): number {
    const recordsBytes = this.#recordsBytes + RECORD_HEADER_BYTES + payloadBytes;
    return spanOf(recordsBytes, this.#shards.size + 1);
  }

  /** `lastAt` says where the record is then. */
  add(record: RecordToEncode, durability: Durability): void {
    const at = BATCH_HEADER_BYTES + this.#recordsBytes;
    this.lastAt = at;
    encodeRecord(this.#slab.bytes, this.from + at, this.seed, record);
    this.#recordsBytes += RECORD_HEADER_BYTES + record.payload.length;
    this.#shards.add(record.shard);
    if (hasPosition(record.kind)) {
      this.positions += 1;
      this.payloadBytes += record.payload.length;
    }
    this.demand(durability);
  }

  /** The batch is durable only once it is so in this way. */
  demand(durability: Durability): void {
    this.#rank = Math.max(this.#rank, RANKS[durability]);
  }

  /** No more records: another batch may begin behind it. */
  seal(): void {
    this.#slab.end(this.from + this.span);
  }

  /** Puts the frame around it, for where and when it is written; returns what is to be written. */
  frame(segment: Segment, mark: number): Uint8Array {
    const { bytes } = this.#slab;
    const recordsFrom = this.from + BATCH_HEADER_BYTES;
    const header: BatchHeader = {
      logId: this.#epoch.logId,
      epoch: this.#epoch.epoch,
      epochStart: this.#epoch.epochStart,
      recordsBytes: this.#recordsBytes,
      shardCount: this.#shards.size,
      positions: this.positions,
      firstPosition: this.firstPosition,
      generation: segment.generation,
      sequence: this.sequence,
      mark,
      start: this.start,
      recordsChecksum: crc32(bytes.subarray(recordsFrom, recordsFrom + this.#recordsBytes)),
    };
    frameBatch(bytes, this.from, header, this.#shards);
    return bytes.subarray(this.from, this.from + this.span);
  }

  /** It is in the segment now, and its memory may be used again. */
  written(segment: Segment, offset: number): void {
    this.segment = segment;
    this.offset = offset;
    this.memory = undefined;
    segment.live += this.live;
    this.#slab.finish();
  }
}
