import type { Durability } from "../model/durability.ts";
import type { LogPosition, LogSequence, ShardId, StoreId } from "../model/ids.ts";
import type { Environment } from "./environment.ts";
import type { Observer } from "./observer.ts";

/** One record of a shard's log. `sequence` rises by one per shard; the store chooses it. */
export interface LogRecord {
  readonly shard: ShardId;
  readonly sequence: LogSequence;
  readonly payload: Uint8Array;
}

export interface LogStoreHealth {
  readonly state: "ok" | "slow" | "failed";
  readonly queuedBytes: number;
  /** How long the sync in flight has been running; 0 if none is. */
  readonly syncAgeMs: number;
  readonly damagedShards: readonly ShardId[];
}

export interface LogHandlers {
  /** Every record at or before `position` is durable as it was asked for. Rises strictly. */
  onDurable(position: LogPosition): void;
  /** A sync or write failed. Fatal: nothing after the last `onDurable` may be vouched for, ever. */
  onFailed(error: Error): void;
}

/**
 * One append-only log shared by all shards of a node.
 *
 * Obligations
 * - Order: records become durable in the order of `append`; `onDurable(p)` covers all up to p.
 * - Durability at return: none; `onDurable` says it. For `memory` it may say so at once, but
 *   never inside `append`: from `flush`, or later.
 * - Buffers: payloads belong to the log once handed over; the caller does not change them, and
 *   what `read` returns is not changed by the caller either.
 * - Concurrency: one caller; handlers never run inside a call, except `onDurable` inside `flush`.
 * - Errors: after `onFailed` every `append` throws; reads go on. A failed sync is never retried.
 * - Damage: a record that fails its check at or below the synced mark is reported in
 *   `health().damagedShards` and that shard's `read` answers `damaged`; above the mark it is a
 *   torn tail, and cut at opening. The log always opens.
 */
export interface LogStore {
  readonly capabilities: { readonly persistent: boolean };
  /** Called once, before anything else. */
  start(handlers: LogHandlers): void;
  /** Takes the record into the next batch; returns its place in the node's log. */
  append(record: LogRecord, durability: Durability): LogPosition;
  /** The current turn's appends are complete: write them, as soon as no sync is in flight. */
  flush(): void;
  /** Greatest position given out, and greatest that is durable. */
  readonly lastPosition: LogPosition;
  readonly durablePosition: LogPosition;
  /** Greatest sequence of a shard that the log knows; 0 if none. */
  lastSequence(shard: ShardId): LogSequence;
  /**
   * Records of one shard with `sequence ≥ from`, in order, without a hole, up to `maxBytes` of
   * payload but at least one if there is one. `compacted` if `from` was dropped. The callback
   * never runs inside the call.
   */
  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void;
  /** Drops the shard's records above `sequence`; itself a record, durable like one. */
  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition;
  /** Forgets the shard altogether; its next record has sequence `next`. Itself a record. */
  reset(shard: ShardId, next: LogSequence): LogPosition;
  /**
   * The shard needs nothing below `sequence` any more. Space goes once no shard needs it; a cold
   * pin is rewritten at the tail by the log, so that an idle shard holds nothing back.
   */
  release(shard: ShardId, sequence: LogSequence): void;
  health(): LogStoreHealth;
  /** Everything appended is made durable, as asked, unless the log has failed. Idempotent. */
  close(): Promise<void>;
}

export type LogReadResult =
  | { readonly type: "records"; readonly records: readonly LogRecord[]; readonly end: boolean }
  | { readonly type: "compacted"; readonly first: LogSequence }
  | { readonly type: "damaged"; readonly error: Error };

/**
 * Parts of a shard's state that never mix. `data`: what clients wrote. `side`: the machine's own
 * records (votes, hints, ballots). `fact`: bounded tables of what happened. `meta`: the store's.
 */
export type Space = "data" | "side" | "fact" | "meta";

export const SPACES: readonly Space[] = Object.freeze(["data", "side", "fact", "meta"]);

/** The shard id under which the node keeps what belongs to no shard: identity, clock high mark. */
export const NODE_SHARD = 0 as ShardId;

/** Numbers the copies of one shard's state; exactly one is current. */
export type Generation = number;

export type StateMutation =
  | {
      readonly type: "put";
      readonly shard: ShardId;
      readonly space: Space;
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** Default: the current one. */
      readonly generation?: Generation;
    }
  | {
      readonly type: "delete";
      readonly shard: ShardId;
      readonly space: Space;
      readonly key: Uint8Array;
      readonly generation?: Generation;
    }
  | {
      /** Half-open; undefined bounds are open. */
      readonly type: "delete-range";
      readonly shard: ShardId;
      readonly space: Space;
      readonly from: Uint8Array | undefined;
      readonly to: Uint8Array | undefined;
      readonly generation?: Generation;
    }
  | {
      /** Makes `generation` the current one of the shard and drops all others. */
      readonly type: "switch-generation";
      readonly shard: ShardId;
      readonly generation: Generation;
    };

/** Mutations that become visible, and durable, together or not at all, in this order. */
export interface StateBatch {
  readonly mutations: readonly StateMutation[];
  /** The log position up to which this batch includes everything. Durable in the log before. */
  readonly position: LogPosition;
}

export interface StateEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A stable picture of one shard's current generation, taken at `view()`. */
export interface StateView {
  get(space: Space, key: Uint8Array): Uint8Array | undefined;
  /** Entries with `from ≤ key < to` in key-byte order, up to `limitBytes` but at least one. */
  range(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
  ): StateRange;
  /** Must be called; a view that outlives `maxViewAgeMs` is closed by the store and then throws. */
  close(): void;
}

export interface StateRange {
  readonly entries: readonly StateEntry[];
  /** Whether keys of the range lie beyond the last entry. */
  readonly more: boolean;
}

export interface StateStoreCapabilities {
  readonly persistent: boolean;
  /** Longest life of a view. */
  readonly maxViewAgeMs: number;
}

/**
 * Ordered bytes → bytes, per shard and space.
 *
 * Obligations
 * - Order: batches are applied in the order of `commit`; keys order by their bytes.
 * - Atomicity: a batch is visible whole or not at all, also after a crash. The latest commits may
 *   be lost in a power cut, never a part of one, never one without all later ones.
 * - Durability at return: none; `durablePosition` says how far it reaches.
 * - Buffers: keys and values handed over belong to the store; what it returns is not changed by
 *   the caller and stays valid.
 * - Concurrency: `get`, `view` and `range` are synchronous and see every commit that returned.
 * - Errors: a failed commit is reported once through `onFailed` and is fatal. A record whose own
 *   check fails is damage: `get` and `range` throw a `StateDamageError` that names shard and key.
 */
export interface StateStore {
  readonly capabilities: StateStoreCapabilities;
  start(handlers: { onFailed(error: Error): void }): void;
  get(shard: ShardId, space: Space, key: Uint8Array): Uint8Array | undefined;
  view(shard: ShardId): StateView;
  /** Shards that hold anything, with their current generation. */
  shards(): readonly { readonly shard: ShardId; readonly generation: Generation }[];
  /** A generation number of this shard that was never used before. */
  newGeneration(shard: ShardId): Generation;
  commit(batch: StateBatch): void;
  readonly committedPosition: LogPosition;
  /** Greatest position whose commit survives a power cut; the log may drop what lies at or below. */
  readonly durablePosition: LogPosition;
  /** Bytes committed but not yet durable: the store refuses work above its bound. */
  readonly pendingBytes: number;
  close(): Promise<void>;
}

/** A stored record that fails its own check. Internal: the store fences the shard. */
export class StateDamageError extends Error {
  override readonly name = "StateDamageError";
  readonly shard: ShardId;

  constructor(shard: ShardId, message: string) {
    super(message);
    this.shard = shard;
  }
}

/** Who the data belongs to, as found or made at opening. */
export interface StorageIdentity {
  readonly storeId: StoreId;
  /** Already counted up for this start. */
  readonly incarnation: number;
  /** True if nothing was there before. */
  readonly fresh: boolean;
}

/** Both stores of one node, opened together, because they share a directory, a lock and a fate. */
export interface Storage {
  readonly identity: StorageIdentity;
  readonly log: LogStore;
  readonly state: StateStore;
  /** Closes both, log first. Idempotent. */
  close(): Promise<void>;
}

export interface StorageContext {
  readonly node: string;
  readonly cluster: string;
  readonly environment: Environment;
  readonly observer: Observer;
}

/** What a module binds, and what configuration names by `storage.type`. */
export type StorageFactory = (
  options: Readonly<Record<string, unknown>>,
  context: StorageContext,
) => Promise<Storage>;
