/** A keyspace with the levels, options and methods that its strategy has, and no others. */
import type { Observable } from "rxjs";
import type { ResolverTypes, StrategyTypes } from "../contracts/registry.ts";
import type { Guarantee } from "../contracts/strategy.ts";
import type {
  BatchKind,
  BatchResult,
  BatchWrite,
  CallOptions,
  ConditionalWriteOptions,
  ConditionalWritten,
  EmbeddedKeyspace,
  Found,
  GetResult,
  Keyspace,
  ManyResult,
  NotFound,
  ReadOptions,
  ScanEntryResult,
  ScanEntryValue,
  ScanOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
  Written,
} from "./api.ts";

/** All that the types of one keyspace rest on. `S` is undefined where the strategy is not known. */
export interface KeyspaceTypes<
  S extends StrategyTypes | undefined,
  R extends ResolverTypes,
  Input,
  Value,
> {
  readonly strategy: S;
  readonly resolver: R;
  readonly input: Input;
  readonly value: Value;
}

export type TypedKeyspace<T> =
  T extends KeyspaceTypes<infer S, infer R, infer Input, infer Value>
    ? S extends StrategyTypes
      ? ReadingKeyspace<S, R, Value> &
          WriteIds &
          PlainWrites<S, R, Input> &
          ConditionalMethods<S, R, Input, Value> &
          UpdateMethods<S, R> &
          WatchMethods<S, Value> &
          SessionMethods<S, T>
      : EmbeddedKeyspace<Value>
    : never;

/** The same at another node, over HTTP: without what only an embedded keyspace has. */
export type RemoteKeyspace<T> =
  T extends KeyspaceTypes<infer S, ResolverTypes, unknown, infer Value>
    ? S extends StrategyTypes
      ? RemoteMethods<T>
      : Keyspace<Value>
    : never;

type RemoteMethods<T> = Omit<
  TypedKeyspace<T>,
  "getNow" | "changes$" | "describe" | "guarantees" | "withSession"
> &
  (TypedKeyspace<T> extends { withSession(token?: string): object }
    ? { withSession(token?: string): RemoteMethods<T> & { readonly token: string } }
    : unknown);

/** True unless strategy or resolver is known to keep none. */
type HasSiblings<S extends StrategyTypes, R extends ResolverTypes> = [S["siblings"]] extends [false]
  ? false
  : [R["siblings"]] extends [false]
    ? false
    : true;

type GetResultOf<S extends StrategyTypes, R extends ResolverTypes, V> =
  HasSiblings<S, R> extends false ? Found<V> | NotFound : GetResult<V>;

type ScanEntryOf<S extends StrategyTypes, R extends ResolverTypes, V> =
  HasSiblings<S, R> extends false ? ScanEntryValue<V> : ScanEntryResult<V>;

type ReadOptionsOf<S extends StrategyTypes> = CallOptions &
  Pick<ReadOptions<S["readLevels"]>, "consistency" | (S["options"] & "session")>;

type WriteOptionsOf<S extends StrategyTypes> = CallOptions &
  Pick<WriteOptions<S["writeLevels"]>, "consistency" | S["options"]>;

type Condition = Required<Pick<ConditionalWriteOptions, "ifVersion">> | { readonly ifAbsent: true };

interface ReadingKeyspace<S extends StrategyTypes, R extends ResolverTypes, V> {
  readonly name: string;
  get(key: string, options?: ReadOptionsOf<S>): Promise<GetResultOf<S, R, V>>;
  getNow(
    key: string,
    options?: Pick<ReadOptionsOf<S>, keyof ReadOptionsOf<S> & ("consistency" | "session")>,
  ): GetResultOf<S, R, V> | undefined;
  has(key: string, options?: ReadOptionsOf<S>): Promise<boolean>;
  getMany(
    keys: readonly string[],
    options?: ReadOptionsOf<S>,
  ): Promise<readonly ManyResult<GetResultOf<S, R, V>>[]>;
  scan(options?: ScanOptions<S["scanLevels"]>): AsyncIterable<ScanEntryOf<S, R, V>>;
  describe(): Readonly<Record<string, unknown>>;
  guarantees(): readonly Guarantee[];
}

interface WriteIds {
  /** An id for one write, made before it is sent. */
  operationId(): Promise<string>;
}

/**
 * The state of a CRDT is changed by operations alone: a plain write would undo what others add at the
 * same time, and is refused. Where the operations are not known, run time decides.
 */
type PlainWrites<S extends StrategyTypes, R extends ResolverTypes, Input> = [
  R["operation"],
] extends [never]
  ? WritingKeyspace<S, Input> & BatchMethods<S, Input>
  : unknown extends R["operation"]
    ? WritingKeyspace<S, Input> & BatchMethods<S, Input>
    : unknown;

interface WritingKeyspace<S extends StrategyTypes, Input> {
  put(key: string, value: Input, options?: WriteOptionsOf<S>): Promise<Written>;
  putMany(
    entries: readonly (readonly [key: string, value: Input])[],
    options?: Omit<WriteOptionsOf<S>, "operationId">,
  ): Promise<readonly ManyResult<Written>[]>;
  delete(key: string, options?: WriteOptionsOf<S>): Promise<Written>;
}

type ConditionalMethods<
  S extends StrategyTypes,
  R extends ResolverTypes,
  Input,
  V,
> = S["conditional"] extends true
  ? {
      put(
        key: string,
        value: Input,
        options: WriteOptionsOf<S> & Condition,
      ): Promise<ConditionalWritten<V, GetResultOf<S, R, V>>>;
      delete(
        key: string,
        options: WriteOptionsOf<S> & Condition,
      ): Promise<ConditionalWritten<V, GetResultOf<S, R, V>>>;
      modify(
        key: string,
        change: (current: V | undefined) => Input,
        options?: Omit<WriteOptionsOf<S>, "operationId">,
      ): Promise<Written>;
    }
  : unknown;

type UpdateMethods<
  S extends StrategyTypes,
  R extends ResolverTypes,
> = "update" extends S["operations"]
  ? {
      update(key: string, operation: R["operation"], options?: WriteOptionsOf<S>): Promise<Written>;
    }
  : unknown;

type BatchMethods<S extends StrategyTypes, Input> = "batch" extends S["operations"]
  ? {
      batch(
        writes: readonly BatchWrite<Input>[],
        options?: WriteOptionsOf<S>,
      ): Promise<BatchResult>;
      batchKind(options?: CallOptions): Promise<BatchKind>;
    }
  : unknown;

type WatchMethods<S extends StrategyTypes, V> = "watch" extends S["operations"]
  ? {
      watch(options?: WatchOptions): AsyncIterable<WatchEvent<V>>;
      readonly changes$: Observable<WatchEvent<V>>;
    }
  : unknown;

type SessionMethods<S extends StrategyTypes, T> = "session" extends S["options"]
  ? { withSession(token?: string): TypedKeyspace<T> & { readonly token: string } }
  : unknown;
