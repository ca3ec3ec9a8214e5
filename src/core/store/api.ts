/**
 * The public interface of a store, without the types that a configuration literal adds (those
 * are in `typed-store.ts`). `capstan/client` implements the same `Keyspace`.
 */
import type { Observable } from "rxjs";
import type { StorageProblem } from "../contracts/storage.ts";
import type { Guarantee } from "../contracts/strategy.ts";
import type { StoreEventType } from "../model/event-registry.ts";
import type { Level } from "../model/levels.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Receipt } from "../model/receipt.ts";
import type { UnservedShards } from "../model/shard-lack.ts";
import type { WatchEvent } from "./watch-event.ts";

export type { WatchEvent } from "./watch-event.ts";

export interface CallOptions {
  /**
   * Ends the call. Before anything was sent: `ABORTED`. After that the strategy decides what is
   * true: a write that may have left is `OUTCOME_UNKNOWN`.
   */
  readonly signal?: AbortSignal;
  /**
   * Instead of the level's own deadline; 1 ms up to `limits.timeout`. A call has ended by then, but
   * where the process lets its event loop stand still beyond it (a long synchronous loop, a stop):
   * then within some 500 ms after that goes on, so that an answer that lies ready is the answer.
   */
  readonly timeoutMs?: number;
}

export interface ReadOptions<L extends string | number = Level | number> extends CallOptions {
  /** Default: the keyspace's own. */
  readonly consistency?: L;
  /**
   * What the client's session has seen: the `session` of an earlier result of this keyspace, or
   * `"begin"`. The read then shows no less, whichever node answers it, or fails: on leaderless
   * keyspaces with `SESSION_BEHIND`.
   */
  readonly session?: string;
}

/** Nothing is under way that could be aborted, or late. */
export type GetNowOptions<L extends string | number = Level | number> = Pick<
  ReadOptions<L>,
  "consistency" | "session"
>;

export interface WriteOptions<L extends string | number = Level | number> extends CallOptions {
  /** Default: the keyspace's own. */
  readonly consistency?: L;
  /** From `store.operationId(keyspace)`: makes a retry the very same write. */
  readonly operationId?: string;
  /** Whole milliseconds from 1 to 2^52, after which the key is gone. */
  readonly ttlMs?: number;
  /** What the client saw of the key (leaderless keyspaces): a result's `version`. */
  readonly context?: string;
  /** As that of a read: reads of the session show this write. */
  readonly session?: string;
}

/** The two exclude each other. One that is there but `undefined` is refused. */
export interface ConditionalWriteOptions<L extends string | number = Level | number>
  extends WriteOptions<L> {
  /** Writes only if this is the key's version. */
  readonly ifVersion?: string;
  /** Writes only if there is no such key. `false` is no condition. */
  readonly ifAbsent?: boolean;
}

/** `timeoutMs` is for each page that the scan reads, not for all of it. */
export interface ScanOptions<L extends string | number = Level | number> extends CallOptions {
  /** Default: the keyspace's own for reads; refused if scans do not have that level. */
  readonly consistency?: L;
  readonly prefix?: string;
  /** Inclusive. */
  readonly from?: string;
  /** Exclusive. */
  readonly to?: string;
  /** Entries at most, over the whole scan. */
  readonly limit?: number;
  /** From an earlier entry: go on behind it. */
  readonly cursor?: string;
}

export interface Found<V> {
  readonly found: true;
  readonly conflict: false;
  readonly value: V;
  readonly version: string;
  readonly receipt: Receipt;
  /** There if the call gave a `session`: hand it to the session's next call. */
  readonly session?: string;
}

export interface FoundSiblings<V> {
  readonly found: true;
  readonly conflict: true;
  readonly siblings: readonly V[];
  /** A name for each of the siblings, different for every write; not to be written with. */
  readonly versions?: readonly string[];
  /** Of all of them: a write with it as `context` replaces them. */
  readonly version: string;
  readonly receipt: Receipt;
  /** There if the call gave a `session`: hand it to the session's next call. */
  readonly session?: string;
}

export interface NotFound {
  readonly found: false;
  /** There if the store knows of a deletion. */
  readonly version?: string;
  readonly receipt: Receipt;
  /** There if the call gave a `session`: hand it to the session's next call. */
  readonly session?: string;
}

export type GetResult<V> = Found<V> | FoundSiblings<V> | NotFound;

export interface Written {
  readonly version: string;
  readonly receipt: Receipt;
  /** There if the call gave a `session`: hand it to the session's next call. */
  readonly session?: string;
}

export type ConditionalWritten<V, Current = GetResult<V>> =
  | ({ readonly ok: true } & Written)
  | {
      readonly ok: false;
      readonly reason: "version-mismatch" | "exists" | "absent";
      readonly current: Current;
      readonly session?: string;
    };

export interface ScanEntryResult<V> {
  readonly key: string;
  readonly value?: V;
  readonly siblings?: readonly V[];
  readonly version: string;
  /** Opaque: a scan given this `cursor` goes on behind this entry. */
  readonly cursor: string;
}

/** An entry where versions never stand apart: there is always one value. */
export interface ScanEntryValue<V> extends ScanEntryResult<V> {
  readonly value: V;
  readonly siblings?: never;
}

/** `timeoutMs` is for the time until `synced`; without one it is waited for without end. */
export interface WatchOptions extends CallOptions {
  readonly prefix?: string;
  /** From an earlier event: go on behind it. */
  readonly cursor?: string;
}

/** One outcome per key, in the order of the keys that were given. */
export type ManyResult<R> =
  | { readonly key: string; readonly ok: true; readonly result: R }
  | { readonly key: string; readonly ok: false; readonly error: Error };

/**
 * One write of a batch. `operationId` belongs to those that are each on their own, and makes a
 * retry, alone or in another batch, the very same write.
 */
export type BatchWrite<V = unknown> =
  | { readonly put: string; readonly value: V; readonly operationId?: string }
  | { readonly delete: string; readonly operationId?: string };

/** In the order of the writes. */
export type BatchResult = readonly ManyResult<Written>[];

/**
 * - `all-or-nothing`: the writes of a batch take effect together, in one shard.
 * - `per-key`: each is on its own, in whichever shard, and has an outcome of its own.
 */
export type BatchKind = "all-or-nothing" | "per-key";

/** A named set of keys with one strategy. Every method rejects with a `CapstanError`. */
export interface Keyspace<V = unknown> {
  readonly name: string;
  get(key: string, options?: ReadOptions): Promise<GetResult<V>>;
  has(key: string, options?: ReadOptions): Promise<boolean>;
  /** 64 at a time are under way. Rejects only for arguments that are wrong for all keys. */
  getMany(
    keys: readonly string[],
    options?: ReadOptions,
  ): Promise<readonly ManyResult<GetResult<V>>[]>;
  put(key: string, value: V, options?: WriteOptions): Promise<Written>;
  put(
    key: string,
    value: V,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<V>>;
  /** Likewise. The writes are independent of each other. */
  putMany(
    entries: readonly (readonly [key: string, value: V])[],
    options?: Omit<WriteOptions, "operationId">,
  ): Promise<readonly ManyResult<Written>[]>;
  delete(key: string, options?: WriteOptions): Promise<Written>;
  delete(key: string, options: ConditionalWriteOptions): Promise<Written | ConditionalWritten<V>>;
  update(key: string, operation: unknown, options?: WriteOptions): Promise<Written>;
  /**
   * Reads, changes and writes, again if somebody else wrote in between, up to 16 times; then
   * `CONTENDED`. `change` gets `undefined` for a key that is not there; it may be called again.
   */
  modify(
    key: string,
    change: (current: V | undefined) => V,
    options?: WriteOptions,
  ): Promise<Written>;
  /**
   * Up to 4,096 writes at once. On raft all of them or none: the keys have to lie in one shard
   * (`groupBy`), and a fault rejects. On leaderless keyspaces each key is on its own, and named once:
   * it rejects only for what is wrong with all of them, and a write that is to be tried again has its
   * id in its own error. There `operationId` is an option of each write, elsewhere of the batch.
   */
  batch(writes: readonly BatchWrite<V>[], options?: WriteOptions): Promise<BatchResult>;
  /** Which of the two `batch` is here. `NOT_SUPPORTED` where the strategy has none. */
  batchKind(options?: CallOptions): Promise<BatchKind>;
  /** In the order of the keys' bytes, over all shards. Each iteration is a scan of its own. */
  scan(options?: ScanOptions): AsyncIterable<ScanEntryResult<V>>;
  /**
   * Changes from now on, or from behind a cursor, ordered per shard. Nothing is ever missing without
   * a `gap`. 1,024 events of 16 MiB wait for a slow reader (16,384 until it is in step, from a cursor);
   * beyond that the oldest are dropped. Ends when the store is closed, and rejects when it fails, with `ABORTED`, or `UNAVAILABLE` after `timeoutMs`.
   */
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<V>>;
  /** An id for one write, made before it is sent. */
  operationId(): Promise<string>;
  /**
   * The same keyspace, which carries a session's token from call to call: every read shows what
   * earlier calls through it wrote and read. With the `token` of another one it goes on there, at
   * whichever node. Scans and watches are outside of it. `NOT_SUPPORTED` from its calls where the
   * strategy has no sessions.
   *
   * @throws CapstanError `INVALID_SESSION`.
   */
  withSession(token?: string): SessionKeyspace<V>;
}

/** A keyspace whose calls belong to one session. */
export interface SessionKeyspace<V = unknown> extends Keyspace<V> {
  /** What the session has seen so far, to go on with elsewhere. */
  readonly token: string;
}

/** What only an embedded keyspace has. */
export interface EmbeddedKeyspace<V = unknown> extends Keyspace<V> {
  /**
   * What `get` would answer, at once, where this node alone can give it: on raft at `lease` while it
   * leads and its lease holds, and at the weaker levels while it holds the shard; on tunable at
   * `one`. Undefined where it cannot: then ask with `get`. Throws a `CapstanError` for arguments
   * that `get` would refuse, and once the store is closed.
   */
  getNow(key: string, options?: GetNowOptions): GetResult<V> | undefined;
  readonly changes$: Observable<WatchEvent<V>>;
  describe(): Readonly<Record<string, unknown>>;
  guarantees(): readonly Guarantee[];
}

/** `type`: one of `STORE_EVENTS`, with the fields of docs/events.md, or what another strategy emits. */
export interface StoreEvent {
  readonly type: StoreEventType | (string & Record<never, never>);
  /** By the node's wall clock. */
  readonly atMs: number;
  readonly [field: string]: unknown;
}

/** `timeoutMs`: 30,000 by default, or `limits.timeout` if that is less. */
export interface ReadyOptions extends CallOptions {
  /** Every keyspace could serve an operation at this level (where it offers it). Default: its own. */
  readonly level?: Level;
}

export interface CloseOptions {
  /** Wait for operations under way. Default true. */
  readonly drain?: boolean;
  /**
   * For calls under way, and for what peers are still sent. Default 5,000. What is on its way to the
   * disk is waited for, however long that takes.
   */
  readonly timeoutMs?: number;
}

export interface NodeHealth {
  readonly node: string;
  readonly address: string | undefined;
  readonly http: string | undefined;
  readonly datacenter: string;
  /**
   * `joining`: met, and one of the two has not joined the cluster yet. `unknown`: not met since
   * this node started.
   */
  readonly status: "active" | "joining" | "unreachable" | "unknown";
  /** Since the last frame; undefined if there was none. */
  readonly silentMs: number | undefined;
  /** Why its frames are not taken, while it is heard: `configuration-mismatch`, … */
  readonly refusal?: string | undefined;
  /**
   * Keyspaces that it was not given, and this node or another one that is met was; of a peer only while
   * it is met. Absent if there are none.
   */
  readonly lacking?: readonly string[];
}

export interface StoreDescription {
  readonly node: string;
  readonly cluster: string;
  readonly clusterId: string | undefined;
  readonly storeId: string;
  readonly incarnation: number;
  readonly state: "opening" | "joining" | "ready" | "draining" | "closed" | "failed";
  /** Fewer nodes than the replicas that were asked for, or a store for one process alone. */
  readonly degraded: boolean;
  readonly side: "majority" | "minority" | "isolated";
  /** What was found broken, and set aside, when this node opened. */
  readonly storageProblems: readonly StorageProblem[];
  readonly nodes: readonly NodeHealth[];
  readonly keyspaces: readonly KeyspaceDescription[];
}

export interface KeyspaceDescription {
  readonly name: string;
  readonly strategy: string;
  readonly replicas: number;
  readonly shards: number;
  readonly readLevels: readonly Level[];
  readonly writeLevels: readonly Level[];
  readonly readDefault: Level;
  readonly writeDefault: Level;
  /** Left out where the strategy has no batches. */
  readonly batch?: BatchKind;
  /** Shards that do not serve all levels now, as far as this node knows; absent if there are none. */
  readonly unserved?: readonly UnservedShards[];
  readonly engine: Readonly<Record<string, unknown>>;
}

export interface FactQuery {
  readonly keyspace?: string;
  readonly key?: string;
  /** Rows older than the one with this `id`. */
  readonly before?: number;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
}

/** Rows of a table of facts, the newest first. */
export interface FactPage<Row> {
  readonly rows: readonly Row[];
  /** Facts since the node was started; the latest are kept: 1,024 replications, 4,096 conflicts. */
  readonly total: number;
}

/** Where one write, or those of one batch, went: as the node that saw them through knows. */
export interface ReplicationRow {
  readonly id: number;
  readonly atMs: number;
  readonly keyspace: string;
  readonly shard: number;
  /** 1, or how many writes of a batch the row stands for, which has no key then. */
  readonly writes: number;
  readonly key?: string;
  /** Eight hex digits. */
  readonly keyHash?: string;
  readonly operation?: "put" | "delete" | "update";
  readonly version?: string;
  /** Of a batch: the log's sequences, both included. */
  readonly sequences?: readonly [first: number, last: number];
  readonly sourceNode: string;
  /**
   * Nodes that were known to hold it, durably as the keyspace demands: on dynamo when it was answered,
   * on raft when it was applied, on tunable once nobody more was waited for.
   */
  readonly replicatedTo: readonly string[];
}

/** Versions of one key that did not know of each other, as one node met them. */
export interface ConflictRow {
  readonly id: number;
  readonly atMs: number;
  readonly keyspace: string;
  readonly shard: number;
  readonly key: string;
  readonly keyHash: string;
  readonly versions: readonly string[];
  /** The resolver's name, or `siblings` where they stay apart. */
  readonly resolution: string;
  readonly resolvedVersion?: string;
  /** Versions that are gone without anything that descends from them. */
  readonly discarded: number;
  /** Who met them. */
  readonly node: string;
}

/** One shard of a keyspace. */
export interface ShardQuery {
  readonly keyspace: string;
  /** From 0. */
  readonly shard: number;
}

export interface ReplicaChange extends ShardQuery {
  /** All nodes that shall hold the shard, of those that the configuration names. */
  readonly replicas: readonly string[];
}

export interface ShardRecovery extends ShardQuery {
  /** What only the other replicas had is lost: it has to be said. */
  readonly acceptLoss: true;
}

/** Who holds a shard, as its leader knows; of a leaderless one, as a majority of its replicas does. */
export interface ShardMembers {
  readonly keyspace: string;
  readonly shard: number;
  /** Those that decide. */
  readonly replicas: readonly string[];
  /** Those that are being given the data. */
  readonly learners: readonly string[];
  /** Left out where all are equals: on leaderless keyspaces. */
  readonly leader?: string;
  /** What a change that is under way leads to. */
  readonly changingTo?: readonly string[];
}

/** For those who run a node: what it knows beyond its keys. Of this node, since its start. */
export interface StoreAdmin {
  /** Which replicas held the writes that this node has seen through, as far as it knew by then. */
  replications(query?: FactQuery): Promise<FactPage<ReplicationRow>>;
  /** Which concurrent versions this node has met, and what became of them. */
  conflicts(query?: FactQuery): Promise<FactPage<ConflictRow>>;
  /** Who holds a shard. */
  members(query: ShardQuery, options?: CallOptions): Promise<ShardMembers>;
  /**
   * Moves a shard to these nodes; settles when they alone hold it. New ones get
   * the data first; writes go on meanwhile. `timeoutMs`: 30,000 by default. At the deadline
   * `OUTCOME_UNKNOWN` if the change may be under way, which `describe()` shows; asking for it
   * again is the same change. `CONTENDED` while another one is.
   */
  changeReplicas(change: ReplicaChange, options?: CallOptions): Promise<ShardMembers>;
  /**
   * Goes on with what this node has of a shard, where others that held it are gone for good. What
   * only those had is lost, acknowledged or not. `timeoutMs`: 30,000 by default.
   * - raft: this node alone holds the shard then, as a new group, and others are taken in by
   *   `changeReplicas`; a replica of the old group that comes back loses what it has.
   *   `QUORUM_PRESENT` while a majority can be reached.
   * - leaderless: this node's replica, if it is being rebuilt, waits no longer for replicas that
   *   cannot be reached; settles when it serves. Those who hold the shard stay the same. At the
   *   deadline `OUTCOME_UNKNOWN`: it serves as soon as it has what can be had.
   *
   * `INVALID_ARGUMENT`, naming those that do, where this node holds no replica.
   */
  recoverShard(recovery: ShardRecovery, options?: CallOptions): Promise<ShardMembers>;
}

/** One node of a cluster, open in this process. */
export interface Store {
  readonly node: string;
  /** Throws `UNKNOWN_KEYSPACE`, which names those that are declared. */
  keyspace(name: string): EmbeddedKeyspace;
  readonly keyspaceNames: readonly string[];
  /**
   * Settles once every keyspace can serve at the level, with replicas that are reached and not being rebuilt, but for those that a peer which is there was not
   * given (`NodeHealth.lacking`); rejects with `UNAVAILABLE` at the deadline.
   */
  ready(options?: ReadyOptions): Promise<void>;
  /**
   * Refuses new calls at once (`STORE_CLOSED`), lets those under way end, then closes everything.
   * Idempotent: the first call's options count.
   */
  close(options?: CloseOptions): Promise<void>;
  /** `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
  /** An id for one write of the keyspace, made before it is sent. */
  operationId(keyspace: string): string;
  /** What became of a write whose outcome was unknown. Never says the wrong one. */
  resolve(operationId: string, options?: CallOptions): Promise<{ readonly outcome: Outcome }>;
  /** Delivered when the turn in which they happened is over. Completes when the store is closed. */
  readonly events$: Observable<StoreEvent>;
  /** The same. 1,024 wait for a slow reader; then the oldest are dropped, and a `gap` says so. */
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<StoreEvent>;
  describe(): StoreDescription;
  readonly admin: StoreAdmin;
}
