/**
 * What strategies and resolvers tell the type system. A plug-in merges its own entry in:
 *
 * ```ts
 * declare module "capstan" {
 *   interface Strategies {
 *     mine: {
 *       readLevels: "one" | "strong";
 *       writeLevels: "strong";
 *       scanLevels: "one";
 *       conditional: true;
 *       operations: "watch";
 *       options: "operationId";
 *       siblings: false;
 *       configuration: { readonly read?: "one" | "strong" };
 *     };
 *   }
 * }
 * ```
 *
 * At run time the strategy's `capabilities` decide; the entry has to say the same.
 */
import type { Duration, PartitionPolicy } from "../model/configuration-types.ts";
import type { Level } from "../model/levels.ts";

/** The form of an entry of `Strategies`. */
export interface StrategyTypes {
  /** Words that `get`, `has` and `getMany` take as `consistency`. */
  readonly readLevels: Level | number;
  readonly writeLevels: Level | number;
  readonly scanLevels: Level | number;
  /** Whether `ifVersion`, `ifAbsent` and `modify` are offered. */
  readonly conditional: boolean;
  /** Methods beyond reading, writing and scanning; `never` for none. */
  readonly operations: StrategyOperation;
  /** Options of calls beyond `consistency`, `signal` and `timeoutMs`; `never` for none. */
  readonly options: StrategyOption;
  /** Whether concurrent versions can stay apart, given a resolver that keeps them. */
  readonly siblings: boolean;
  /** Fields of a keyspace that the strategy itself understands. */
  readonly configuration: object;
}

export type StrategyOperation = "update" | "batch" | "watch";

export type StrategyOption = "operationId" | "ttlMs" | "context" | "session";

type TunableLevel = TunableScanLevel | "strong";

/** To read many keys at once as one moment is not offered. */
type TunableScanLevel =
  | "one"
  | "two"
  | "three"
  | "quorum"
  | "all"
  | "local-quorum"
  | "each-quorum"
  | "eventual";

/** Writes take them all, and are committed by a majority whatever the word. */
type RaftLevel = RaftScanLevel | "session";

type RaftScanLevel = "strong" | "quorum" | "lease" | "follower" | "stale" | "eventual" | "one";

/** Options of the strategies without a leader, `dynamo` and `tunable`. */
export interface LeaderlessOptions {
  /**
   * When a read asks one replica more than it needs: `"auto"` (default), after what those that it
   * asked usually take; after a duration; `"off"`; or `"always"`, at once all.
   */
  readonly hedge?: "auto" | "off" | "always" | Duration;
  /** Records of more bytes are read from one replica, and their digests from others. Default 4 KiB. */
  readonly digestAbove?: number | string;
  /** How replicas are compared and made equal in the background. */
  readonly repair?: RepairOptions;
}

/** How replicas are compared and made equal in the background. */
export interface RepairOptions {
  /** Between two comparisons of replicas that were equal, or `"off"`. Default 10 s. */
  readonly interval?: Duration | "off";
  /** That a replica sends at most while it repairs others. Default 1 MiB. */
  readonly bytesPerSecond?: number | string;
  /** Missed writes that a replica remembers for others at most. Default 10,000 a shard. */
  readonly maxHints?: number;
  /** Bytes of copies that a node that stands in keeps for one replica of a shard at most. Default 16 MiB. */
  readonly maxHintBytes?: number | string;
  /** For how long. Default 3 h. */
  readonly hintMaxAge?: Duration;
  /**
   * How old a deletion has to be before its tombstone goes, once every replica has it, or
   * `"off"`. 1 s to 365 days, default 10 minutes.
   */
  readonly reapAfter?: Duration | "off";
}

/** The strategies that a keyspace can name, by that name. */
export interface Strategies {
  dynamo: {
    readLevels: TunableScanLevel | number;
    writeLevels: TunableScanLevel | number;
    scanLevels: TunableScanLevel | number;
    conditional: false;
    operations: "update" | "batch" | "watch";
    options: "operationId" | "ttlMs" | "context" | "session";
    siblings: true;
    configuration: LeaderlessOptions & {
      /** Level of reads that name none, or how many replicas have to answer. Default `"quorum"`. */
      readonly read?: TunableScanLevel | number;
      /** Level of writes that name none, or how many replicas have to hold it. Default `"quorum"`. */
      readonly write?: TunableScanLevel | number;
      /** How long an operation may take, by its level. */
      readonly deadlines?: { readonly [L in TunableScanLevel]?: Duration };
      /** Default `"prefer-availability"`; `"prefer-consistency"` is without stand-ins. */
      readonly partitionPolicy?: PartitionPolicy | "prefer_consistency" | "prefer_availability";
    };
  };
  raft: {
    readLevels: RaftLevel;
    writeLevels: RaftLevel;
    scanLevels: RaftScanLevel;
    conditional: true;
    operations: "batch" | "watch";
    options: "operationId" | "ttlMs" | "session";
    siblings: false;
    configuration: {
      /** Level of reads that name none. Default `"strong"`. */
      readonly read?: RaftLevel;
      /** Level of writes that name none; what they promise is the same at all. */
      readonly write?: RaftLevel;
      /** How long an operation may take, by its level. Default 3 s. */
      readonly deadlines?: { readonly [L in RaftLevel]?: Duration };
      /**
       * Upper end of the draw of the election timeout: the longest that a shard without a leader
       * waits before it elects one. 50 ms to 60 s, default 500 ms.
       */
      readonly electionTimeout?: Duration;
      /**
       * For how long a write's operation id is remembered behind the last use of its session, and a
       * key of your own behind its use. 1 s to 24 h, default 10 minutes.
       */
      readonly sessionLifetime?: Duration;
      /**
       * How much of its applied log a shard keeps for replicas that lag, before they need a
       * snapshot. 1 KiB to 1 GiB, default 32 MiB.
       */
      readonly retainedLog?: number | string;
    };
  };
  tunable: {
    readLevels: TunableLevel;
    writeLevels: TunableLevel;
    scanLevels: TunableScanLevel;
    conditional: false;
    operations: "batch" | "watch";
    options: "operationId" | "ttlMs" | "context" | "session";
    siblings: false;
    configuration: LeaderlessOptions & {
      /** Level of reads that name none. Default `"quorum"`. */
      readonly read?: TunableLevel;
      /** Level of writes that name none. Default `"quorum"`. */
      readonly write?: TunableLevel;
      /** How long an operation may take, by its level. */
      readonly deadlines?: { readonly [L in TunableLevel]?: Duration };
      /** Default `"prefer-consistency"`. */
      readonly partitionPolicy?: PartitionPolicy | "prefer_consistency" | "prefer_availability";
    };
  };
}

/** The form of an entry of `Resolvers`. */
export interface ResolverTypes {
  /** What `update` takes; `never` where the resolver has no operations. */
  readonly operation: unknown;
  /** What `get` gives, where that is not what `put` takes; `unknown` otherwise. */
  readonly value: unknown;
  /** Whether a read can come back with siblings. */
  readonly siblings: boolean;
}

interface Plain {
  operation: never;
  value: unknown;
  siblings: false;
}

interface Crdt<Operation, Value> {
  operation: Operation;
  value: Value;
  siblings: false;
}

/** The resolvers that a keyspace can name, by that name. */
export interface Resolvers {
  lww: Plain;
  "version-vector": { operation: never; value: unknown; siblings: true };
  union: Plain;
  "g-counter": Crdt<KindsOfCrdt["g-counter"], number>;
  "pn-counter": Crdt<KindsOfCrdt["pn-counter"], number>;
  "g-set": Crdt<KindsOfCrdt["g-set"], unknown[]>;
  "or-set": Crdt<KindsOfCrdt["or-set"], unknown[]>;
  "lww-register": Crdt<KindsOfCrdt["lww-register"], unknown>;
  "mv-register": Crdt<KindsOfCrdt["mv-register"], unknown[]>;
  flag: Crdt<KindsOfCrdt["flag"], boolean>;
  "or-map": Crdt<
    { update: { key: string; operation: OneOf<KindsOfCrdt> } } | { remove: string; update?: never },
    Record<string, unknown>
  >;
}

/** The operations of the built-in CRDTs. An amount is a whole number from 1. */
interface KindsOfCrdt {
  "g-counter": { increment: number };
  "pn-counter": { increment: number; decrement?: never } | { decrement: number; increment?: never };
  "g-set": { add: unknown };
  "or-set": { add: unknown; remove?: never } | { remove: unknown; add?: never };
  "lww-register": { set: unknown };
  "mv-register": { set: unknown };
  flag: { enable: true; disable?: never } | { disable: true; enable?: never };
}

/** An object with one of the members. */
type OneOf<Members> = { [Name in keyof Members]: Record<Name, Members[Name]> }[keyof Members];
