/**
 * The public interface of a store, without the types that a configuration literal adds (those
 * are in `typed-store.ts`). `capstan/client` implements the same `Keyspace`.
 */
import type { Observable } from "rxjs";
import type { Guarantee } from "../contracts/strategy.ts";
import type { Level } from "../model/levels.ts";
import type { ChangeType } from "../model/operations.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Receipt } from "../model/receipt.ts";

export interface CallOptions {
  /** Aborting a call after it was sent gives `OUTCOME_UNKNOWN`. */
  readonly signal?: AbortSignal;
  /** Instead of the level's own deadline; 1 ms up to `limits.timeout`. */
  readonly timeoutMs?: number;
}

export interface ReadOptions<L extends string = Level> extends CallOptions {
  readonly consistency?: L;
  /** What the client's session has seen, opaque. */
  readonly session?: string;
}

export interface WriteOptions<L extends string = Level> extends CallOptions {
  readonly consistency?: L;
  /** From `store.operationId(keyspace)`: makes a retry the very same write. */
  readonly operationId?: string;
  readonly ttlMs?: number;
  /** What the client saw of the key (leaderless keyspaces): a result's `version`. */
  readonly context?: string;
  readonly session?: string;
}

export interface ConditionalWriteOptions<L extends string = Level> extends WriteOptions<L> {
  readonly ifVersion?: string;
  readonly ifAbsent?: boolean;
}

export interface ScanOptions<L extends string = Level> extends CallOptions {
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
}

export interface FoundSiblings<V> {
  readonly found: true;
  readonly conflict: true;
  readonly siblings: readonly V[];
  readonly version: string;
  readonly receipt: Receipt;
}

export interface NotFound {
  readonly found: false;
  /** There if the store knows of a deletion. */
  readonly version?: string;
  readonly receipt: Receipt;
}

export type GetResult<V> = Found<V> | FoundSiblings<V> | NotFound;

export interface Written {
  readonly version: string;
  readonly receipt: Receipt;
}

export type ConditionalWritten<V, Current = GetResult<V>> =
  | ({ readonly ok: true } & Written)
  | {
      readonly ok: false;
      readonly reason: "version-mismatch" | "exists" | "absent";
      readonly current: Current;
    };

export interface ScanEntryResult<V> {
  readonly key: string;
  readonly value?: V;
  readonly siblings?: readonly V[];
  readonly version: string;
  /** Opaque: a scan given this `cursor` goes on behind this entry. */
  readonly cursor: string;
}

export interface WatchOptions extends CallOptions {
  readonly prefix?: string;
  readonly cursor?: string;
}

export interface WatchEvent<V> {
  readonly type: ChangeType;
  readonly key?: string;
  readonly value?: V;
  readonly version?: string;
  readonly cursor: string;
  readonly reason?: string;
}

/** One outcome per key, in the order of the keys that were given. */
export type ManyResult<R> =
  | { readonly key: string; readonly ok: true; readonly result: R }
  | { readonly key: string; readonly ok: false; readonly error: Error };

/** A named set of keys with one strategy. Every method rejects with a `CapstanError`. */
export interface Keyspace<V = unknown> {
  readonly name: string;
  get(key: string, options?: ReadOptions): Promise<GetResult<V>>;
  has(key: string, options?: ReadOptions): Promise<boolean>;
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
  putMany(
    entries: readonly (readonly [key: string, value: V])[],
    options?: Omit<WriteOptions, "operationId">,
  ): Promise<readonly ManyResult<Written>[]>;
  delete(key: string, options?: WriteOptions): Promise<Written>;
  delete(key: string, options: ConditionalWriteOptions): Promise<Written | ConditionalWritten<V>>;
  update(key: string, operation: unknown, options?: WriteOptions): Promise<Written>;
  modify(
    key: string,
    change: (current: V | undefined) => V,
    options?: WriteOptions,
  ): Promise<Written>;
  batch(
    writes: readonly ({ readonly put: string; readonly value: V } | { readonly delete: string })[],
    options?: WriteOptions,
  ): Promise<readonly ManyResult<Written>[]>;
  scan(options?: ScanOptions): AsyncIterable<ScanEntryResult<V>>;
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<V>>;
  /** An id for one write, made before it is sent. */
  operationId(): Promise<string>;
}

/** What only an embedded keyspace has. */
export interface EmbeddedKeyspace<V = unknown> extends Keyspace<V> {
  readonly changes$: Observable<WatchEvent<V>>;
  describe(): Readonly<Record<string, unknown>>;
  guarantees(): readonly Guarantee[];
}

export interface StoreEvent {
  readonly type: string;
  readonly atMs: number;
  readonly [field: string]: unknown;
}

export interface ReadyOptions extends CallOptions {
  /** Every keyspace could serve an operation at this level (where it offers it). Default: its own. */
  readonly level?: Level;
}

export interface CloseOptions {
  /** Wait for operations under way. Default true. */
  readonly drain?: boolean;
  /** Default 5,000. */
  readonly timeoutMs?: number;
}

export interface NodeHealth {
  readonly node: string;
  readonly address: string | undefined;
  readonly http: string | undefined;
  readonly datacenter: string;
  readonly status: "active" | "unreachable" | "unknown";
  readonly silentMs: number | undefined;
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
  readonly engine: Readonly<Record<string, unknown>>;
}

/** One node of a cluster, open in this process. */
export interface Store {
  readonly node: string;
  keyspace(name: string): EmbeddedKeyspace;
  readonly keyspaceNames: readonly string[];
  /** Settles once every keyspace can serve at the level; rejects with `UNAVAILABLE` at the deadline. */
  ready(options?: ReadyOptions): Promise<void>;
  close(options?: CloseOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  operationId(keyspace: string): string;
  /** What became of a write whose outcome was unknown. Never says the wrong one. */
  resolve(operationId: string, options?: CallOptions): Promise<{ readonly outcome: Outcome }>;
  readonly events$: Observable<StoreEvent>;
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<StoreEvent>;
  describe(): StoreDescription;
}
