import type { StateBatch, StateStore } from "../../core/contracts/storage.ts";
import type { Durability } from "../../core/model/durability.ts";
import type { StoreEvent } from "../../core/store/api.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { LogNews } from "../watched-log.ts";
import type { ClientCalls, Ending } from "./client-calls.ts";
import type { Draw } from "./draw.ts";
import type { WatchedCrdt } from "./dynamo/watched-crdt.ts";
import type { FaultKind } from "./plan.ts";
import type { KeyspaceTopology, Topology } from "./topology.ts";

/** What a seed draws for a keyspace, whatever its strategy is. */
export interface KeyspaceKnobs {
  readonly replicas: number;
  readonly shards: number;
  readonly durability: Durability;
  /** Whether a partition is met as the strategy meets it by default, or in the other way. */
  readonly hasDefaultPolicy: boolean;
  /** Deadlines, as a multiple of the defaults. */
  readonly patience: number;
  /** Where keys come in groups with a promise each: keys of each group. Few: they are to be hot. */
  readonly keysPerGroup: number;
  /** Of all operations; the others read. */
  readonly writeShare: number;
  /**
   * Where a workload does several kinds of things: the one that it does alone, as its place among
   * them, from 0 to below 1. Undefined: all of them.
   */
  readonly focus: number | undefined;
}

/** One keyspace of a seed's configuration. */
export interface KeyspacePlan {
  readonly name: string;
  /** By which its `StrategyScenario` is found. */
  readonly strategy: string;
  /** As under `keyspaces` of a configuration, but for the strategy. */
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly keysPerGroup: number;
  readonly writeShare: number;
  readonly focus: number | undefined;
  /** Of the values, in bytes, where some are large. */
  readonly greatestValue?: number;
}

/** What is drawn for the machines before any keyspace is. */
export interface MachinesPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly storage: "disk" | "memory";
}

/** A promise that was not kept. */
export interface Violation {
  /** Which check found it: `linearizability`, `lost-write`, `liveness`, … */
  readonly check: string;
  readonly message: string;
}

export interface CheckReport {
  readonly violations: readonly Violation[];
  /** Operations that some checker has judged. */
  readonly checked: number;
  /** Checks that came to no verdict within their bound. */
  readonly unknown: number;
}

/** What a run puts into the place of parts of its keyspace's configuration, to learn more. */
export interface Instruments {
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Where the keyspace's resolver is a CRDT that is watched. */
  readonly watched?: WatchedCrdt | undefined;
}

/** What a run of one keyspace is made with. */
export interface KeyspaceScene {
  readonly instruments?: Instruments | undefined;
  readonly world: SimWorld;
  readonly plan: KeyspacePlan;
  readonly calls: ClientCalls;
  readonly keyspace: KeyspaceTopology;
  readonly topology: Topology;
}

/** What became known while the world ran, and what the judgement has to take into account. */
export interface Circumstances {
  /**
   * A node that went on from an old copy was accepted by a peer: nobody that this peer could hear
   * knew of a later state. Nothing is promised then but the truth of outcomes.
   */
  readonly copyHasCounted: boolean;
}

/**
 * The workload of one keyspace in one world, with what it remembers, and the judge of it. Nothing in
 * it may depend on anything but the world's time and the draws that it is handed.
 */
export interface KeyspaceRun {
  /**
   * One operation of a client through a running node, from its call to its end.
   *
   * @param another draws one more running node, for a client that goes on elsewhere at once.
   */
  operate(
    client: string,
    draw: Draw,
    node: SimNode,
    another: () => SimNode | undefined,
  ): Promise<Ending>;
  /** The faults end: from now on it begins nothing of its own. */
  calm?(): void;
  /** Nothing is broken any more: ends what it has begun. Runs the world. */
  settle?(): Promise<void>;
  /** Whether what it does of its own has come, too, while faults come. Default: it has. */
  hasActed?(): boolean;
  /** Everything is whole, and every client has ended: reads what `judge` has to know. Runs the world. */
  readAtTheEnd(): Promise<void>;
  /** Before a commit of some node's state takes effect, with the state as it is. */
  onCommit?(node: string, state: StateStore, batch: StateBatch): void;
  /** Of any node: what happens to its log, with all shards in it. */
  onLog?(node: string, news: LogNews): void;
  /** Of any node, as its store says it. */
  onEvent?(node: string, event: StoreEvent): void;
  /** Called once, at the end. */
  judge(circumstances: Circumstances): CheckReport;
  /** How often rare states were reached, by the names of `StrategyScenario.sometimes`. */
  sometimes(): Readonly<Record<string, number>>;
}

/** What a seed does with the keyspaces of one strategy. One per strategy, in `strategies.ts`. */
export interface StrategyScenario {
  /** As in a configuration. */
  readonly strategy: string;
  /** Rare states of its own that a long run has to reach. */
  readonly sometimes: readonly string[];
  /** Where nothing outlives a process it has no keyspace. Default false. */
  readonly needsDisk?: boolean;
  /** Kinds of faults that come in every seed with a keyspace of it, from three nodes on. */
  readonly faults?: readonly FaultKind[];
  /** The keyspace's configuration; what only this strategy knows is drawn from `draw`. */
  configure(
    knobs: KeyspaceKnobs,
    machines: MachinesPlan,
    draw: Draw,
  ): KeyspacePlan["configuration"];
  /**
   * How many replicas besides its own one that was lost needs before it serves again. Default: so
   * many that they share one with every majority.
   */
  othersToServe?(replicas: number): number;
  /**
   * How many replicas of a shard may have lost what they held at a time. Default: fewer than a
   * majority, so that one that has not holds every write of a majority.
   */
  bearableLosses?(replicas: number): number;
  /** Whether it has levels of datacenters (`local-quorum`, `each-quorum`). Default false. */
  readonly knowsDatacenters?: boolean;
  /**
   * Whether a replica that serves again counts for good, from what `describe()` says of its shard:
   * only then may another one be lost. Default: it does.
   *
   * @param isAllOpen as many replicas of the node are open and serve as call themselves serving: one
   * does not know that the node has closed its shard.
   */
  isWhole?(shard: Readonly<Record<string, unknown>>, isAllOpen: boolean): boolean;
  /** Default: none. */
  instrument?(plan: KeyspacePlan): Instruments;
  createRun(scene: KeyspaceScene): KeyspaceRun;
}
