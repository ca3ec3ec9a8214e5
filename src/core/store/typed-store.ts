/**
 * The types that a configuration literal adds to a store: which keyspaces there are, which levels,
 * options and methods each has, what its values are. Types alone; `api.ts` has the plain ones.
 */
import type { Resolvers, ResolverTypes, Strategies, StrategyTypes } from "../contracts/registry.ts";
import type { CrdtResolver, Resolver } from "../contracts/resolver.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "../contracts/standard-schema.ts";
import type { StorageFactory } from "../contracts/storage.ts";
import type { Strategy } from "../contracts/strategy.ts";
import type { TransportFactory } from "../contracts/transport.ts";
import type { KeyspaceInput, StoreConfigurationInput } from "../model/configuration-types.ts";
import type { Store } from "./api.ts";
import type { KeyspaceTypes, RemoteKeyspace, TypedKeyspace } from "./typed-keyspace.ts";

/** A keyspace as `openStore` takes it: the strategy may also be handed over as an object. */
export interface KeyspaceConfiguration extends Omit<KeyspaceInput, "strategy"> {
  /** What a module binds under this name, or the strategy itself. Default `"tunable"`. */
  readonly strategy?: string | Strategy;
}

export interface KeyspacesConfiguration {
  readonly [name: string]: KeyspaceConfiguration;
}

/** What `keyspaces` is when it is left out. */
export type DefaultKeyspaces = { readonly default: { readonly strategy: "tunable" } };

/** `openStore`'s first argument. */
export interface StoreConfiguration<K>
  extends Omit<StoreConfigurationInput, "keyspaces" | "transport" | "storage"> {
  /** What a module binds under `type`, with its options; or a factory. Default memory. */
  readonly transport?:
    | { readonly type: string; readonly [option: string]: unknown }
    | TransportFactory;
  /** Likewise. */
  readonly storage?: { readonly type: string; readonly [option: string]: unknown } | StorageFactory;
  /** Default: one keyspace, `default`, tunable. */
  readonly keyspaces?: K & CheckedKeyspaces<K>;
}

/** Names that the configuration does not spell out: see `Store.keyspace`. */
export type DynamicName = string & { readonly "capstan.dynamic-name": true };

/** A store that knows its keyspaces by the configuration's literal. */
export interface TypedStore<K> extends Omit<Store, "keyspace"> {
  /** For programs that learn names at run time: `store.keyspace(name as DynamicName)`. */
  keyspace(name: DynamicName): ReturnType<Store["keyspace"]>;
  // Last, because the compiler tells of the last overload that does not fit.
  keyspace<N extends keyof K & string>(name: N): TypedKeyspace<TypesOfKeyspace<K[N]>>;
}

/**
 * The type of one keyspace of a store, `KeyspaceOf<typeof store, "accounts">`, or of what `defineConfig`
 * returned, `KeyspaceOf<typeof config, "accounts">`.
 */
export type KeyspaceOf<S, N extends string> =
  KeyspacesOf<S> extends infer K
    ? N extends keyof K
      ? TypedKeyspace<TypesOfKeyspace<K[N]>>
      : never
    : never;

/** What a store or a configuration names its keyspaces. */
export type KeyspacesOf<S> =
  S extends TypedStore<infer K> ? K : S extends StoreConfiguration<infer K> ? K : never;

/** The same keyspace of `connect<typeof config>(…)`. */
export type RemoteKeyspaceOf<C, N extends string> =
  KeyspacesOf<C> extends infer K
    ? N extends keyof K
      ? RemoteKeyspace<TypesOfKeyspace<K[N]>>
      : never
    : never;

/** Refuses, keyspace by keyspace, what its strategy does not have. */
export type CheckedKeyspaces<K> = { readonly [N in keyof K]: CheckedKeyspace<K[N]> };

type CheckedKeyspace<X> =
  StrategyName<X> extends infer S
    ? S extends keyof Strategies
      ? CheckedFields<X, CommonFields & Strategies[S]["configuration"] & StrategyField<X, S>>
      : S extends Unchecked
        ? X
        : { readonly strategy: keyof Strategies | Strategy }
    : never;

/** What every keyspace can have, whatever its strategy. */
type CommonFields = Omit<
  KeyspaceConfiguration,
  "strategy" | "read" | "write" | "deadlines" | "partitionPolicy" | "schema"
> & {
  /** Checks values before they are written, and types them. `valuesOf<T>()` types them alone. */
  readonly schema?: StandardSchema;
};

type StrategyField<X, S> = {
  readonly strategy?: X extends { readonly strategy: object } ? Strategy : S;
};

/** Field by field, so that the compiler names the one that is wrong. */
type CheckedFields<X, Allowed> = {
  readonly [F in keyof X]: F extends keyof Allowed
    ? F extends "deadlines" | "repair"
      ? CheckedFields<X[F], NonNullable<Allowed[F]>>
      : Allowed[F]
    : never;
};

/** Stands for a strategy that the types know nothing of: everything compiles, run time decides. */
type Unchecked = { readonly "capstan.unchecked": true };

/** The entry of `Strategies` that a keyspace's literal leads to. */
type StrategyName<X> = X extends { readonly strategy: infer S }
  ? S extends string
    ? string extends S
      ? Unchecked
      : S
    : S extends { readonly name: infer N extends keyof Strategies }
      ? N
      : Unchecked
  : "strategy" extends keyof X
    ? // The field may be there, or not: a configuration that is no literal.
      Unchecked
    : "tunable";

type TypesOfKeyspace<X> = TypesOfStrategy<StrategyName<X>, X>;

type TypesOfStrategy<S, X> = S extends keyof Strategies
  ? Strategies[S] extends infer T extends StrategyTypes
    ? KeyspaceTypes<T, ResolverOf<X>, InputOf<X>, OutputOf<X, ResolverOf<X>>>
    : never
  : KeyspaceTypes<undefined, ResolverTypes, InputOf<X>, OutputOf<X, ResolverTypes>>;

/** Where a strategy can keep versions apart, it does unless a resolver says otherwise. */
interface NoResolver {
  readonly operation: never;
  readonly value: unknown;
  readonly siblings: true;
}

type ResolverOf<X> = X extends { readonly resolver: infer R }
  ? R extends keyof Resolvers
    ? Extract<Resolvers[R], ResolverTypes>
    : TypesOfResolver<R>
  : NoResolver;

/** Of one that is handed over as an object, what its own type says. */
type TypesOfResolver<R> =
  R extends CrdtResolver<infer _State, infer Operation, infer Value>
    ? { readonly operation: Operation; readonly value: Value; readonly siblings: false }
    : R extends Resolver<infer Value>
      ? {
          readonly operation: never;
          readonly value: Value;
          readonly siblings: R["capabilities"]["siblings"];
        }
      : ResolverTypes;

type InputOf<X> = X extends { readonly schema: infer S } ? SchemaInput<S> : unknown;

/** A schema says what values are; without one a CRDT's own value does, if it has one. */
type OutputOf<X, R extends ResolverTypes> = X extends { readonly schema: infer S }
  ? SchemaOutput<S>
  : R["value"];
