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
 *   What a power cut leaves is a beginning of that order, whatever the shard: no holes.
 * - Durability at return: none; `onDurable` says it. For `memory` it may say so at once, but
 *   never inside `append`: from `flush`, or later.
 * - Buffers: records and payloads belong to the log once handed over; the caller does not change
 *   them, and what `read` returns is not changed by the caller either.
 * - Concurrency: one caller; handlers never run inside a call, except `onDurable` inside `flush`.
 *   A handler may call any method; handlers do not nest.
 * - Errors: after `onFailed` every `append` throws; reads go on. A failed sync is never retried.
 *   A sequence that is not allowed is a RangeError, and nothing is taken. After `close`
 *   all calls throw but `close`, `health` and the positions.
 * - Damage: a record that fails its check at or below the synced mark is reported in
 *   `health().damagedShards` and that shard's `read` answers `damaged`, until it is `reset`; above
 *   the mark it is a torn tail, and cut at opening. The log always opens. Where it is unknown whose
 *   records were lost, a shard that the log does not know is damaged once it is asked for.
 */
export interface LogStore {
  readonly capabilities: {
    readonly persistent: boolean;
    /** Of one payload, in bytes: `append` throws a RangeError for more. Left out: no bound. */
    readonly maxRecordBytes?: number;
  };
  /** Called once, before anything else. */
  start(handlers: LogHandlers): void;
  /**
   * Takes the record into the next batch; returns its place in the node's log, one above the last.
   * `sequence` is `lastSequence(shard) + 1`, nothing else.
   */
  append(record: LogRecord, durability: Durability): LogPosition;
  /**
   * The current turn's appends are complete: write them, as soon as no sync is in flight. What is
   * appended after it waits for the next `flush`, or for `close`.
   */
  flush(): void;
  /**
   * Greatest position given out, and greatest that is durable: equal at opening. `onDurable(p)`
   * finds `durablePosition` at p already. Over a reopening both go on from what was kept.
   */
  readonly lastPosition: LogPosition;
  readonly durablePosition: LogPosition;
  /** Greatest position that survives a power cut, whatever was asked: ≤ `durablePosition`. */
  readonly syncedPosition: LogPosition;
  /**
   * Greatest sequence of a shard that the log knows, released or not; 0 if none. A shard that the
   * log does not know, though it may have lost records of it, is among the damaged ones afterwards.
   */
  lastSequence(shard: ShardId): LogSequence;
  /**
   * Records of one shard with `sequence ≥ from` (below 1 counts as 1), durable or not, in order,
   * without a hole, up to `maxBytes` of payload but at least one if there is one. `end`: there was
   * none behind the last of them. `compacted` if `from` was dropped: `first` is the lowest that can
   * be read, or the one that comes next. The callback never runs inside the call, and sees the log
   * as it was at some moment in between.
   */
  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void;
  /**
   * Drops the shard's records above `sequence`, which is not below what was released; itself a
   * record, durable like one, with a position of its own.
   */
  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition;
  /** Forgets the shard altogether; its next record has sequence `next ≥ 1`. Itself a record. */
  reset(shard: ShardId, next: LogSequence): LogPosition;
  /**
   * The shard needs nothing below `sequence` any more. Space goes once no shard needs it; a cold
   * pin is rewritten at the tail by the log, so that an idle shard holds nothing back. Reads below
   * it are `compacted` from now on; over a reopening they may come back. Never takes effect
   * backwards.
   */
  release(shard: ShardId, sequence: LogSequence): void;
  /** Payload bytes that are not durable as they were asked for. */
  readonly queuedBytes: number;
  health(): LogStoreHealth;
  /**
   * Everything appended is made durable, as asked, unless the log has failed; `onDurable` says so,
   * and reads under way are answered, before the promise settles. Idempotent.
   */
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

/**
 * Numbers the copies of one shard's state, all spaces together; exactly one is current. The others
 * are dropped by a switch and by closing or losing the store.
 */
export type Generation = number;

/** A key of a user with what a machine puts around it; keys of no bytes are allowed. */
export const MAX_STATE_KEY_BYTES = 1_536;

export type StateMutation =
  | {
      readonly type: "put";
      readonly shard: ShardId;
      readonly space: Space;
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** Default: the current one. */
      readonly generation?: Generation;
      /** The key as `keyText` has it, where it is known: a store may keep it by that. */
      readonly text?: string;
    }
  | {
      readonly type: "delete";
      readonly shard: ShardId;
      readonly space: Space;
      readonly key: Uint8Array;
      readonly generation?: Generation;
      readonly text?: string;
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
  /**
   * The log position up to which this batch includes everything. Durable in the log before. Never
   * falls from batch to batch; may stay.
   */
  readonly position: LogPosition;
}

export interface StateEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A stable picture of one shard's current generation, taken at `view()`. */
export interface StateView {
  get(space: Space, key: Uint8Array): Uint8Array | undefined;
  /**
   * Entries with `from ≤ key < to` in key-byte order, up to `limitBytes` of keys and values and up
   * to `limitEntries`, if it is given, but at least one if there is one. Undefined bounds are open.
   * Costs about as much as it gives: a small limit makes it cheap.
   */
  range(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries?: number,
  ): StateRange;
  /**
   * Its age is counted from now on: for a reader that gets on, but slowly. Without effect on one that
   * is closed. Left out: nothing makes a view's life longer.
   */
  prolong?(): void;
  /**
   * Must be called; a view that outlives `maxViewAgeMs` is closed by the store. A closed view
   * throws. Idempotent.
   */
  close(): void;
}

export interface StateRange {
  readonly entries: readonly StateEntry[];
  /** Whether keys of the range lie beyond the last entry. */
  readonly more: boolean;
}

export interface StateStoreCapabilities {
  readonly persistent: boolean;
  /** A view lives at least half of this, and at most this. */
  readonly maxViewAgeMs: number;
  /**
   * Where `pendingBytes` is at or above this, the state writes more slowly than it is written to,
   * and the store lets no new work in until it has fallen. Commits are taken all the same: what the
   * log has must go somewhere. Infinity where nothing is ever pending.
   */
  readonly maxPendingBytes: number;
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
 * - Concurrency: `get` and `view` are synchronous and see every commit that returned; opening a
 *   view, reading a little and closing it is cheap.
 * - Errors: a failed commit is reported once through `onFailed` and is fatal. A record whose own
 *   check fails is damage: `get`, `view` or `range` throws a `StateDamageError` that names the
 *   shard. Where damage was found, any read of that shard may throw it, until `switch-generation`:
 *   the shard is listed by `shards` all the same. Commits are taken. An invalid batch (a position that falls, a space that is not one, a key that is too long, a
 *   generation that is neither current nor was given out since the last switch) throws a
 *   RangeError or TypeError before anything of it is applied. After `close` all calls throw but
 *   `close` and the positions.
 */
export interface StateStore {
  readonly capabilities: StateStoreCapabilities;
  start(handlers: { onFailed(error: Error): void }): void;
  /** @param text the key as `keyText` has it, where it is known: a store may look it up by that. */
  get(shard: ShardId, space: Space, key: Uint8Array, text?: string): Uint8Array | undefined;
  view(shard: ShardId): StateView;
  /** Shards whose current generation holds anything, in any space, and its number. */
  shards(): readonly { readonly shard: ShardId; readonly generation: Generation }[];
  /** A number above every generation that this shard has, or was given since opening. */
  newGeneration(shard: ShardId): Generation;
  commit(batch: StateBatch): void;
  /**
   * What is committed now is to be durable soon, whatever pace the store has otherwise. `done` is
   * called once it is, perhaps within the call; never, if the store fails or closes before.
   */
  hasten(done: () => void): void;
  readonly committedPosition: LogPosition;
  /**
   * Greatest position whose commit survives a power cut; the log may drop what lies at or below.
   * Follows `committedPosition` by itself; a store that is not persistent has no difference.
   */
  readonly durablePosition: LogPosition;
  /** Bytes committed but not yet durable; see `maxPendingBytes`. */
  readonly pendingBytes: number;
  /** Closes open views; everything committed is durable, unless the store has failed. Idempotent. */
  close(): Promise<void>;
}

/** A stored record that fails its own check. Internal: the store fences the shard. */
export class StateDamageError extends Error {
  override readonly name = "StateDamageError";
  readonly shard: ShardId;
  /** Which record. With it, a node that has the only copy can give up this one and keep the rest. */
  readonly at: { readonly space: Space; readonly key: Uint8Array } | undefined;

  constructor(
    shard: ShardId,
    message: string,
    at?: { readonly space: Space; readonly key: Uint8Array },
  ) {
    super(message);
    this.shard = shard;
    this.at = at;
  }
}

/** Who the data belongs to, as found or made at opening. */
export interface StorageIdentity {
  /** 32 hex digits, random. Persistent storage keeps it, the other kind has a new one each time. */
  readonly storeId: StoreId;
  /** Already counted up for this start. */
  readonly incarnation: number;
  /** True if nothing was there before. */
  readonly fresh: boolean;
  /**
   * The weakest durability of which every acknowledged record is here: `memory` after a clean
   * close, or where nothing was before; `os` after a process that was killed; `fsync` where the
   * system may have stopped too. What a shard of a weaker one holds may lack its tail.
   */
  readonly kept: Durability;
}

/** Something stored that was found broken, and set aside, at opening. */
export interface StorageProblem {
  /** Which file or part, as a person would look for it. */
  readonly what: string;
  readonly reason: string;
  /** Where it was put, if it was moved. Nothing reads it again: a person may remove it, any time. */
  readonly setAside: string | undefined;
}

/**
 * Both stores of one node, opened together, because they share a directory, a lock and a fate: what
 * is open cannot be opened again. At opening `log.lastPosition ≥ state.committedPosition`, whatever
 * a power cut has left of each: the next commit's position must not fall.
 */
export interface Storage {
  readonly identity: StorageIdentity;
  readonly log: LogStore;
  readonly state: StateStore;
  /**
   * What was found broken at opening; the storage has opened without it. What is lost with it is
   * told elsewhere: `identity.fresh`, `log.health().damagedShards`, `StateDamageError`.
   */
  readonly problems: readonly StorageProblem[];
  /**
   * This data is not to be gone on with: it is an older copy of what its peers have met. Everything
   * is set aside at the next opening, which is then fresh, with a new store id. Settles once that
   * is on stable storage; calls to the stores go on as before. Without effect in memory.
   */
  disown(reason: string): Promise<void>;
  /** Closes both, log first. A `disown` that was called before is done, too. Idempotent. */
  close(): Promise<void>;
}

export interface StorageContext {
  readonly node: string;
  readonly cluster: string;
  readonly environment: Environment;
  readonly observer: Observer;
}

/**
 * What a module binds, and what configuration names by `storage.type`. Rejects with
 * `INVALID_CONFIGURATION`, naming `storage.<option>`, for an option that it does not know.
 */
export type StorageFactory = (
  options: Readonly<Record<string, unknown>>,
  context: StorageContext,
) => Promise<Storage>;
