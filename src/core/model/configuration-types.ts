import type { ConfigurationOutline } from "./configuration-outline.ts";
import type { Durability } from "./durability.ts";
import type { HttpSectionInput } from "./http-section.ts";
import type { NodeId } from "./ids.ts";
import type { Level, LevelName } from "./levels.ts";

/** A number of milliseconds, or text with a unit: `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"7d"`. */
export type Duration = number | string;

/** A number of bytes, or text with a unit: `"64KiB"`, `"1MiB"`, `"512B"`, `"1MB"`. */
export type Size = number | string;

/**
 * `prefer-consistency`: the level or a fault. `prefer-availability`: below its level an operation
 * succeeds if at least one copy is durable (or answered), and its receipt says so.
 */
export type PartitionPolicy = "prefer-consistency" | "prefer-availability";

/**
 * Which part of a key chooses its shard. `whole`: all of it. `tag`: what stands between the first
 * `{` and the next `}`. `prefix`: all before the first `separator`. Where that is empty, or there is
 * none, the whole key decides.
 */
export type GroupBy = "whole" | "tag" | { readonly prefix: { readonly separator: string } };

/** A node as the user writes it. */
export type NodeInput =
  | string
  | {
      readonly peer?: string;
      readonly http?: string;
      readonly datacenter?: string;
    };

/** A keyspace as the user writes it; a strategy may know further fields. */
export interface KeyspaceInput {
  readonly strategy?: string;
  readonly replicas?: number;
  readonly shards?: number;
  readonly read?: Level | number;
  readonly write?: Level | number;
  readonly resolver?: string | object;
  readonly durability?: Durability;
  readonly partitionPolicy?: PartitionPolicy | "prefer_consistency" | "prefer_availability";
  readonly groupBy?: GroupBy;
  readonly maxValue?: Size;
  /** Per level; `strong` counts both of its phases. */
  readonly deadlines?: { readonly [L in LevelName]?: Duration };
  /** A Standard Schema (https://standardschema.dev) that checks and types the values. */
  readonly schema?: object;
}

/** `openStore`'s first argument, and a configuration file's shape. */
export interface StoreConfigurationInput {
  readonly cluster?: {
    readonly name?: string;
    readonly nodes?: readonly string[] | { readonly [id: string]: NodeInput };
    /**
     * 32 bytes, the same on every node, with which what clients carry from node to node is signed:
     * bytes, 64 hex digits or base64. Without it what was forged is not recognised.
     */
    readonly key?: string | Uint8Array;
  };
  /** `{ type, … }` names what a module binds; an object that is a `Transport` factory is used as it is. */
  readonly transport?: { readonly type: string; readonly [option: string]: unknown };
  readonly storage?: { readonly type: string; readonly [option: string]: unknown };
  readonly keyspaces?: { readonly [name: string]: KeyspaceInput };
  readonly clock?: { readonly maxSkew?: Duration };
  readonly detector?: {
    readonly heartbeatInterval?: Duration;
    readonly suspectAfter?: Duration;
  };
  readonly limits?: {
    readonly operationsInFlight?: number;
    readonly queuedBytes?: Size;
    readonly timeout?: Duration;
    readonly scanPage?: number;
  };
  /** Of the HTTP API, where `capstan start` serves it; an embedded store leaves it alone. */
  readonly http?: HttpSectionInput;
  /** Allows addresses that are not loopback where nothing keeps strangers out. */
  readonly insecure?: boolean;
}

export interface ResolvedNode {
  readonly id: NodeId;
  readonly peer: string | undefined;
  readonly http: string | undefined;
  readonly datacenter: string;
}

export interface ResolvedKeyspace {
  readonly name: string;
  /** `keyspaceHash(name)`: 32 bits, never 0; unique among the keyspaces. */
  readonly hash: number;
  readonly strategy: string;
  /** As asked; the placement holds fewer where the cluster has fewer nodes (`degraded`). */
  readonly replicas: number;
  readonly shards: number;
  readonly durability: Durability;
  readonly groupBy: GroupBy;
  readonly maxValueBytes: number;
  readonly schema: object | undefined;
  readonly resolver: string | object | undefined;
  /** Everything that the strategy itself understands (`read`, `write`, `deadlines`, …), unparsed. */
  readonly strategyOptions: Readonly<Record<string, unknown>>;
}

/** Checked, filled with defaults, frozen. */
export interface ResolvedConfiguration {
  readonly cluster: {
    readonly name: string;
    /** Sorted by id. */
    readonly nodes: readonly ResolvedNode[];
    /** 32 bytes; never shown. */
    readonly key: Uint8Array | undefined;
  };
  readonly transport: {
    readonly type: string;
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly storage: { readonly type: string; readonly options: Readonly<Record<string, unknown>> };
  /** Sorted by name. */
  readonly keyspaces: readonly ResolvedKeyspace[];
  readonly clock: { readonly maxSkewMs: number };
  readonly detector: { readonly heartbeatIntervalMs: number; readonly suspectAfterMs: number };
  readonly limits: {
    readonly operationsInFlight: number;
    readonly queuedBytes: number;
    readonly timeoutMs: number;
    readonly scanPage: number;
  };
  readonly insecure: boolean;
  /**
   * Equal on all nodes that agree on what must be equal (cluster name, nodes, keyspaces). A store
   * leaves out of it what a strategy says is each node's own (`nodeOptions`).
   */
  readonly digest: string;
  /** The same, part by part. */
  readonly outline: ConfigurationOutline;
}
