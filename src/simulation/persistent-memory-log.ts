import type { Environment, TimerHandle } from "../core/contracts/environment.ts";
import type {
  LogHandlers,
  LogReadResult,
  LogRecord,
  LogStore,
  LogStoreHealth,
} from "../core/contracts/storage.ts";
import type { Durability } from "../core/model/durability.ts";
import type { LogPosition, LogSequence, ShardId } from "../core/model/ids.ts";
import { MemoryLogStore } from "../storage/memory/memory-log-store.ts";

type LogEntry =
  | { readonly type: "append"; readonly record: LogRecord; readonly durability: Durability }
  | { readonly type: "truncate" | "reset"; readonly shard: ShardId; readonly to: LogSequence };

/** How long what nobody waits for stays unsynced. */
const LAZY_SYNC_MS = 100;

/** A sync that takes longer is told: as `slowSync` of the disk is by default. */
const SLOW_SYNC_MS = 1_000;

/**
 * What a crash leaves of a log. Positions count entries from 1: `synced ≤ written ≤
 * entries.length`. A killed process leaves what was written, a power cut what was synced.
 */
export class LogDisk {
  readonly entries: LogEntry[] = [];
  written = 0;
  synced = 0;
  /** How long a sync takes; 0: until the next turn. */
  syncMs = 0;
  readonly damagedShards = new Set<ShardId>();
}

/** Writes go to the disk and to a `MemoryLogStore`, which serves the reads. */
export class PersistentMemoryLog implements LogStore {
  readonly capabilities = Object.freeze({ persistent: true });
  failNextSync = false;
  readonly #disk: LogDisk;
  readonly #environment: Environment;
  readonly #index: MemoryLogStore;
  #handlers: LogHandlers | undefined;
  #flushed: number;
  #isSyncing = false;
  #syncingSinceMs = 0;
  #lazySync: TimerHandle | undefined;
  #dead: string | undefined;
  #failed: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor(disk: LogDisk, environment: Environment) {
    this.#disk = disk;
    this.#environment = environment;
    this.#index = new MemoryLogStore(environment);
    for (const entry of disk.entries) this.#apply(entry);
    this.#flushed = disk.entries.length;
  }

  start(handlers: LogHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError("the log was started before");
    this.#handlers = handlers;
  }

  append(record: LogRecord, durability: Durability): LogPosition {
    return this.#write({ type: "append", record, durability });
  }

  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition {
    return this.#write({ type: "truncate", shard, to: sequence });
  }

  reset(shard: ShardId, next: LogSequence): LogPosition {
    const position = this.#write({ type: "reset", shard, to: next });
    this.#disk.damagedShards.delete(shard);
    return position;
  }

  flush(): void {
    this.#checkWritable();
    this.#flushed = this.#disk.entries.length;
    this.#sync();
  }

  get lastPosition(): LogPosition {
    return this.#index.lastPosition;
  }

  get syncedPosition(): LogPosition {
    return this.#disk.synced as LogPosition;
  }

  /** What is only to be written is durable before it is synced, up to the first that is not. */
  get durablePosition(): LogPosition {
    return this.#disk.written as LogPosition;
  }

  lastSequence(shard: ShardId): LogSequence {
    this.#checkOpen();
    return this.#index.lastSequence(shard);
  }

  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void {
    this.#checkOpen();
    this.#index.read(shard, from, maxBytes, (result) => {
      if (this.#dead !== undefined) return;
      const isDamaged = this.#disk.damagedShards.has(shard);
      const error = new Error(`the log of shard ${shard} is damaged`);
      done(isDamaged ? { type: "damaged", error } : result);
    });
  }

  release(shard: ShardId, sequence: LogSequence): void {
    this.#checkOpen();
    this.#index.release(shard, sequence);
  }

  health(): LogStoreHealth {
    const syncAgeMs = this.#isSyncing ? this.#environment.monotonicMs() - this.#syncingSinceMs : 0;
    const isSlow = syncAgeMs > SLOW_SYNC_MS;
    return {
      state: this.#failed === undefined ? (isSlow ? "slow" : "ok") : "failed",
      syncAgeMs,
      damagedShards: [...this.#disk.damagedShards],
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The process is gone: nothing of this object may reach the disk or a handler any more. */
  kill(why: string): void {
    this.#dead = why;
  }

  async #close(): Promise<void> {
    if (this.#dead === undefined && this.#failed === undefined) {
      this.#flushed = this.#disk.entries.length;
      this.#sync();
    }
    if (this.#lazySync !== undefined) this.#environment.clearTimer(this.#lazySync);
    if (this.#dead === undefined && this.#failed === undefined) {
      this.#disk.synced = Math.max(this.#disk.synced, this.#disk.written);
    }
    while (this.#isSyncing) await new Promise<void>((resolve) => this.#later(resolve));
    await this.#index.close();
    this.#dead ??= "the log is closed";
  }

  #write(entry: LogEntry): LogPosition {
    this.#checkWritable();
    const position = this.#apply(entry);
    this.#disk.entries.push(entry);
    return position;
  }

  #apply(entry: LogEntry): LogPosition {
    if (entry.type === "append") return this.#index.append(entry.record, entry.durability);
    if (entry.type === "truncate") return this.#index.truncateSuffix(entry.shard, entry.to);
    return this.#index.reset(entry.shard, entry.to);
  }

  /** One at a time; what is flushed meanwhile is the next. */
  #sync(): void {
    const end = this.#flushed;
    if (this.#isSyncing || this.#failed !== undefined || end <= this.#disk.written) return;
    this.#isSyncing = true;
    this.#syncingSinceMs = this.#environment.monotonicMs();
    this.#later(() => {
      this.#isSyncing = false;
      if (this.#dead !== undefined) return;
      if (this.failNextSync) {
        this.#failed = new Error("the sync of the log failed");
        this.#handlers?.onFailed(this.#failed);
        return;
      }
      if (this.#mustSync(end)) this.#disk.synced = end;
      else this.#syncLazily();
      this.#disk.written = end;
      this.#handlers?.onDurable(end as LogPosition);
      if (this.#dead === undefined) this.#sync();
    });
  }

  #mustSync(end: number): boolean {
    const fresh = this.#disk.entries.slice(this.#disk.written, end);
    return fresh.some((entry) => entry.type !== "append" || entry.durability === "fsync");
  }

  #syncLazily(): void {
    this.#lazySync ??= this.#environment.setTimer(LAZY_SYNC_MS, () => {
      this.#lazySync = undefined;
      if (this.#dead === undefined && this.#failed === undefined) {
        this.#disk.synced = Math.max(this.#disk.synced, this.#disk.written);
      }
    });
  }

  get queuedBytes(): number {
    let bytes = 0;
    for (let at = this.#disk.written; at < this.#disk.entries.length; at += 1) {
      const entry = this.#disk.entries[at];
      if (entry?.type === "append") bytes += entry.record.payload.length;
    }
    return bytes;
  }

  #later(callback: () => void): void {
    const { syncMs } = this.#disk;
    if (syncMs === 0) this.#environment.soon(callback);
    else this.#environment.setTimer(syncMs, callback);
  }

  #checkOpen(): void {
    if (this.#dead !== undefined) throw new Error(this.#dead);
    if (this.#closing !== undefined) throw new Error("the log is closed");
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#failed !== undefined) throw this.#failed;
  }
}
