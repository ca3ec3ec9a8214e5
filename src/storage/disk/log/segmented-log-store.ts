import { basename } from "node:path";
import type { Environment } from "../../../core/contracts/environment.ts";
import type { Observer } from "../../../core/contracts/observer.ts";
import type {
  LogHandlers,
  LogReadResult,
  LogRecord,
  LogStore,
  LogStoreHealth,
} from "../../../core/contracts/storage.ts";
import type { Durability } from "../../../core/model/durability.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { LogPosition, LogSequence, ShardId } from "../../../core/model/ids.ts";
import type { Disk } from "../disk.ts";
import { BATCH_HEADER_BYTES, MARK_ROOM_BYTES } from "./batch-format.ts";
import { BatchQueue } from "./batch-queue.ts";
import { FolderWatch } from "./folder-watch.ts";
import { isShard, LogCleaner } from "./log-cleaner.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import { LogWriter } from "./log-writer.ts";
import { NO_PLANTED_LOG_BUGS, type PlantedLogBugs } from "./planted-bugs.ts";
import { NO_PAYLOAD, RECORD_HEADER_BYTES, RECORD_KINDS, type RecordKind } from "./record-format.ts";
import { RecordReader } from "./record-reader.ts";
import type { RecordPlace } from "./record-slots.ts";
import type { RecoveredLog } from "./recovered-log.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-format.ts";
import { closeAll, SegmentSupply } from "./segment-supply.ts";
import type { ShardIndex } from "./shard-index.ts";
import type { ShardTable } from "./shard-table.ts";

/** Frame, table and padding of a batch with one record. */
const ONE_RECORD_BYTES = 2 * BATCH_HEADER_BYTES + RECORD_HEADER_BYTES + 24;

export interface SegmentedLogParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly options: ResolvedLogOptions;
  readonly recovered: RecoveredLog;
  /** How often it is seen whether the folder is there; undefined: never. */
  readonly folderCheckMs?: number | undefined;
  /** Only in tests. */
  readonly planted?: PlantedLogBugs;
}

/** The write-ahead log of a node: one file after the other, shared by all of its shards. */
export class SegmentedLogStore implements LogStore {
  readonly capabilities: LogStore["capabilities"];
  readonly #parts: SegmentedLogParts;
  readonly #table: ShardTable;
  readonly #queue: BatchQueue;
  readonly #supply: SegmentSupply;
  readonly #writer: LogWriter;
  readonly #reader: RecordReader;
  readonly #cleaner: LogCleaner;
  /** What batches may have of a segment. */
  readonly #segmentRoom: number;
  #handlers: LogHandlers | undefined;
  #failure: CapstanError | undefined;
  #closing: Promise<void> | undefined;
  #active: Segment | undefined;
  readonly #folderWatch: FolderWatch | undefined;

  constructor(parts: SegmentedLogParts) {
    const { environment, options, recovered } = parts;
    this.#parts = parts;
    this.#table = recovered.table;
    this.#segmentRoom = options.segmentBytes - SEGMENT_HEADER_BYTES - MARK_ROOM_BYTES;
    const maxRecordBytes = this.#segmentRoom - ONE_RECORD_BYTES;
    this.capabilities = Object.freeze({ persistent: true, maxRecordBytes });
    const maxBatchBytes = Math.min(options.maxBatchBytes, this.#segmentRoom);
    this.#queue = new BatchQueue({ ...recovered, maxBatchBytes });
    this.#supply = new SegmentSupply({ ...parts, ...options, ...recovered });
    this.#reader = new RecordReader(environment);
    this.#writer = new LogWriter({
      ...recovered,
      planted: parts.planted ?? NO_PLANTED_LOG_BUGS,
      environment,
      options,
      queue: this.#queue,
      supply: this.#supply,
      onActivated: (segment) => {
        this.#active = segment;
        this.#cleaner.activated(segment);
      },
      onSynced: (sequence) => this.#cleaner.synced(sequence),
      onDurable: (position) => this.#handlers?.onDurable(position as LogPosition),
      onFailed: (error) => this.#failed(error),
    });
    this.#cleaner = new LogCleaner({
      options,
      queue: this.#queue,
      table: this.#table,
      reader: this.#reader,
      segments: recovered.segments,
      onFree: (segment) => this.#supply.give(segment),
      onRewritten: () => this.#flushOwn(),
      onDamaged: (shard, error) => this.#damaged(shard, error),
    });
    this.#folderWatch = this.#watchFolder();
    this.#open();
  }

  start(handlers: LogHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError("the log was started before");
    this.#handlers = handlers;
    const failure = this.#failure;
    if (failure !== undefined) this.#parts.environment.defer(() => handlers.onFailed(failure));
  }

  append(record: LogRecord, durability: Durability): LogPosition {
    this.#checkWritable();
    const { shard, sequence, payload } = record;
    const index = this.#table.get(shard);
    const next = (index?.last ?? 0) + 1;
    if (sequence !== next) {
      throw new RangeError(
        `sequence ${sequence} of shard ${shard} is out of order; next is ${next}`,
      );
    }
    const most = this.capabilities.maxRecordBytes ?? 0;
    if (payload.length > most) {
      throw new RangeError(
        `a record of ${payload.length} bytes does not fit a segment, which holds ${most}`,
      );
    }
    return this.#add(RECORD_KINDS.append, shard, sequence, payload, durability, index);
  }

  flush(): void {
    this.#checkOpen();
    if (this.#writer.hasFailed) return;
    this.#cleaner.clean();
    this.#writer.flush();
  }

  get lastPosition(): LogPosition {
    return this.#queue.lastPosition as LogPosition;
  }

  get durablePosition(): LogPosition {
    return this.#writer.durablePosition as LogPosition;
  }

  get syncedPosition(): LogPosition {
    return Math.min(this.#writer.syncedPosition, this.#writer.durablePosition) as LogPosition;
  }

  lastSequence(shard: ShardId): LogSequence {
    this.#checkOpen();
    return ((this.#table.get(shard) ?? this.#damagedIfUnknown(shard))?.last ?? 0) as LogSequence;
  }

  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void {
    this.#checkOpen();
    const index = this.#table.get(shard) ?? this.#damagedIfUnknown(shard);
    const start = Math.max(from, 1);
    const now = index === undefined ? EMPTY : resultWithoutRead(index, start);
    if (index === undefined || now !== undefined) {
      return this.#reader.answer(() => done(now ?? EMPTY));
    }
    const places = placesFrom(index, start, maxBytes);
    const end = start + places.length > index.last;
    this.#reader.read({ shard, from: start, places }, (error, records) => {
      if (error === undefined) return done({ type: "records", records, end });
      this.#damaged(shard, error);
      done({ type: "damaged", error });
    });
  }

  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition {
    this.#checkWritable();
    const index = this.#table.get(shard);
    const first = index?.first ?? 1;
    if (!(sequence >= first - 1)) {
      throw new RangeError(
        `the log cannot be cut to sequence ${sequence}: all below ${first} is released`,
      );
    }
    const last = Math.min(sequence, index?.last ?? 0);
    index?.truncate(last);
    return this.#add(RECORD_KINDS.truncate, shard, last, NO_PAYLOAD, "fsync", index);
  }

  reset(shard: ShardId, next: LogSequence): LogPosition {
    this.#checkWritable();
    if (!Number.isSafeInteger(next) || next < 1) {
      throw new RangeError(`a log cannot go on with sequence ${next}; sequences count from 1`);
    }
    const index = this.#table.get(shard);
    return this.#add(RECORD_KINDS.reset, shard, next, NO_PAYLOAD, "fsync", index);
  }

  release(shard: ShardId, sequence: LogSequence): void {
    this.#checkOpen();
    this.#table.get(shard)?.release(sequence);
  }

  get queuedBytes(): number {
    return this.#writer.queuedBytes;
  }

  health(): LogStoreHealth {
    const syncAgeMs = this.#writer.hasFailed ? 0 : this.#writer.busyMs;
    const isSlow = syncAgeMs > this.#parts.options.slowSyncMs;
    return {
      state: this.#writer.hasFailed ? "failed" : isSlow ? "slow" : "ok",
      syncAgeMs,
      damagedShards: this.#table.damagedShards(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#folderWatch?.stop();
      this.#cleaner.stop();
      // Deferred, because what becomes durable is announced, and never inside a call.
      this.#parts.environment.defer(() => {
        this.#writer.drain(() => this.#reader.whenIdle(() => this.#closeFiles(resolve)));
      });
    });
    return this.#closing;
  }

  /** The first batch of this opening: from it on, what older ones left behind is void. */
  #open(): void {
    this.#queue.seal("fsync");
    for (const [shard, index] of this.#table.all()) {
      if (index.damage !== undefined) this.#cleaner.writeStanding(shard, index);
    }
    this.#cleaner.clean();
    this.#parts.environment.defer(() => {
      if (!this.#queue.hasUnflushedPositions) this.#writer.flush();
    });
  }

  #closeFiles(done: () => void): void {
    this.#supply.stop(() => closeAll(this.#cleaner.allSegments(), done));
  }

  #add(
    kind: RecordKind,
    shard: ShardId,
    sequence: number,
    payload: Uint8Array,
    durability: Durability,
    found: ShardIndex | undefined,
  ): LogPosition {
    if (!isShard(shard)) throw new RangeError(`${shard} is not a shard id`);
    const known = found ?? this.#damagedIfUnknown(shard);
    const record = { kind, flags: 0, shard, sequence, payload };
    const batch = this.#queue.add(record, durability);
    const index = known ?? this.#table.add(shard, 1, batch);
    index.trace = batch;
    if (kind === RECORD_KINDS.append) index.append(batch, batch.lastAt, payload.length);
    if (kind === RECORD_KINDS.reset) {
      index.restart(sequence);
      index.damage = undefined;
    }
    this.#writer.queuedBytes += payload.length;
    return this.lastPosition;
  }

  /** Where it is not known whose records were lost, no shard that comes anew is sound. */
  #damagedIfUnknown(shard: ShardId): ShardIndex | undefined {
    const { unknownDamage } = this.#table;
    if (unknownDamage === undefined || !isShard(shard)) return undefined;
    const index = this.#table.add(shard, 1, NOWHERE);
    this.#damaged(shard, unknownDamage);
    return index;
  }

  #damaged(shard: ShardId, error: Error): void {
    const index = this.#table.get(shard);
    if (index === undefined || index.damage !== undefined) return;
    index.damage = error;
    index.restart(index.last + 1);
    if (!this.#writer.hasFailed) this.#cleaner.writeStanding(shard, index);
    this.#parts.observer.log("error", "a shard's log is damaged", { shard, error: error.message });
  }

  /** What the log wrote for itself need not wait for the next flush, if it is all there is. */
  #flushOwn(): void {
    if (this.#writer.hasFailed || this.#queue.hasUnflushedPositions) return;
    this.#cleaner.clean();
    this.#writer.flush();
  }

  #watchFolder(): FolderWatch | undefined {
    const { disk, directory, environment, folderCheckMs: everyMs } = this.#parts;
    if (everyMs === undefined) return undefined;
    return new FolderWatch({
      ...{ disk, directory, environment, everyMs },
      expected: () => this.#active && basename(this.#active.file.path),
      onGone: (what) => {
        const lost = "what was written to it would not be found again";
        const message = `the folder of the log, ${directory}, was removed (${what}): ${lost}`;
        this.#writer.fail(new CapstanError("STORE_FAILED", message));
      },
    });
  }

  #failed(error: CapstanError): void {
    this.#folderWatch?.stop();
    this.#failure = error;
    this.#cleaner.stop();
    this.#parts.observer.log("error", "the log has failed", { error: error.message });
    this.#handlers?.onFailed(error);
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return;
    throw new CapstanError("STORE_CLOSED", "the log is closed");
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#failure !== undefined) throw this.#failure;
  }
}

const EMPTY: LogReadResult = Object.freeze({ type: "records", records: [], end: true });

/** The trace of a shard that was never written of. */
const NOWHERE = Object.freeze({
  segment: undefined,
  offset: 0,
  seed: 0,
  live: 0,
  memory: undefined,
});

function resultWithoutRead(index: ShardIndex, start: number): LogReadResult | undefined {
  if (index.damage !== undefined) return { type: "damaged", error: index.damage };
  if (start < index.first) return { type: "compacted", first: index.first as LogSequence };
  return start > index.last ? EMPTY : undefined;
}

function placesFrom(index: ShardIndex, start: number, maxBytes: number): RecordPlace[] {
  const places: RecordPlace[] = [];
  let bytes = 0;
  for (let sequence = start; sequence <= index.last; sequence += 1) {
    const place = index.at(sequence) as RecordPlace;
    bytes += place.payloadBytes;
    if (places.length > 0 && bytes > maxBytes) break;
    places.push(place);
  }
  return places;
}
