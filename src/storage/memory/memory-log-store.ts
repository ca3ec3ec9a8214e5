import type { Environment } from "../../core/contracts/environment.ts";
import type {
  LogHandlers,
  LogReadResult,
  LogRecord,
  LogStore,
  LogStoreHealth,
} from "../../core/contracts/storage.ts";
import type { Durability } from "../../core/model/durability.ts";
import { CapstanError } from "../../core/model/errors.ts";
import {
  type LogPosition,
  type LogSequence,
  NO_POSITION,
  type ShardId,
} from "../../core/model/ids.ts";
import { ShardLog } from "./shard-log.ts";

/**
 * The log of a node that keeps nothing over a restart: every durability is memory's, and what is
 * flushed is as durable as it will ever be.
 */
export class MemoryLogStore implements LogStore {
  readonly capabilities = Object.freeze({ persistent: false });
  readonly #environment: Environment;
  readonly #shards = new Map<ShardId, ShardLog>();
  #handlers: LogHandlers | undefined;
  #lastPosition = NO_POSITION;
  #durablePosition = NO_POSITION;
  /** Up to here `flush` was asked for. #durable ≤ #flushed ≤ #last. */
  #flushedPosition = NO_POSITION;
  #queuedBytes = 0;
  #isAnnouncing = false;
  #closing: Promise<void> | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  start(handlers: LogHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError("the log was started before");
    this.#handlers = handlers;
  }

  append(record: LogRecord, _durability: Durability): LogPosition {
    this.#checkOpen();
    this.#shardLog(record.shard).append(record);
    this.#queuedBytes += record.payload.length;
    return this.#nextPosition();
  }

  flush(): void {
    this.#checkOpen();
    this.#flushedPosition = this.#lastPosition;
    this.#queuedBytes = 0;
    this.#announce();
  }

  get lastPosition(): LogPosition {
    return this.#lastPosition;
  }

  /** Memory does not survive a power cut. */
  readonly syncedPosition: LogPosition = NO_POSITION;

  get durablePosition(): LogPosition {
    return this.#durablePosition;
  }

  lastSequence(shard: ShardId): LogSequence {
    this.#checkOpen();
    return (this.#shards.get(shard)?.last ?? 0) as LogSequence;
  }

  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void {
    this.#checkOpen();
    this.#environment.defer(() => done(this.#shardLog(shard).read(from, maxBytes)));
  }

  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition {
    this.#checkOpen();
    this.#shardLog(shard).truncateSuffix(sequence);
    return this.#nextPosition();
  }

  reset(shard: ShardId, next: LogSequence): LogPosition {
    this.#checkOpen();
    this.#shards.set(shard, new ShardLog(shard, next));
    return this.#nextPosition();
  }

  release(shard: ShardId, sequence: LogSequence): void {
    this.#checkOpen();
    this.#shards.get(shard)?.release(sequence);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  health(): LogStoreHealth {
    return { state: "ok", syncAgeMs: 0, damagedShards: [] };
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#flushedPosition = this.#lastPosition;
      this.#queuedBytes = 0;
      // Deferred callbacks run in order, so that reads under way are answered before.
      this.#environment.defer(() => {
        this.#announce();
        this.#shards.clear();
        resolve();
      });
    });
    return this.#closing;
  }

  #nextPosition(): LogPosition {
    this.#lastPosition = (this.#lastPosition + 1) as LogPosition;
    return this.#lastPosition;
  }

  /** A handler may append and flush: that is announced when it has returned, never within it. */
  #announce(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    try {
      while (this.#durablePosition < this.#flushedPosition) {
        this.#durablePosition = this.#flushedPosition;
        this.#handlers?.onDurable(this.#durablePosition);
      }
    } finally {
      this.#isAnnouncing = false;
    }
  }

  #shardLog(shard: ShardId): ShardLog {
    let log = this.#shards.get(shard);
    if (log === undefined) {
      log = new ShardLog(shard, 1);
      this.#shards.set(shard, log);
    }
    return log;
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return;
    throw new CapstanError("STORE_CLOSED", "the log is closed");
  }
}
