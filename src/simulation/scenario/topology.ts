import { resolveConfiguration } from "../../core/model/configuration.ts";
import type { ResolvedKeyspace, ResolvedNode } from "../../core/model/configuration-types.ts";
import { DURABILITIES, type Durability } from "../../core/model/durability.ts";
import { shardIndexForKey } from "../../core/model/hash.ts";
import { placeShard } from "../../core/model/placement.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import { separatePlugIns } from "../../core/store/handed-over.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import { STRATEGY_SCENARIOS } from "./strategies.ts";
import type { StrategyScenario } from "./strategy-scenario.ts";

/** A replica that came back serves for this long before it is taken for whole again. */
const TRIAL_MS = 1_000;

/** By the end of its process, by damage to its disk, or because an old copy was put in place. */
export type HowLost = "end" | "damage" | "old-copy";

interface Loss {
  /** The start of the node that is the first to know. */
  readonly atStart: number;
  servingSinceMs: number | undefined;
}

/** A node lost what it held, or part of it. */
export interface LossOfNode {
  readonly node: string;
  /** In milliseconds of the world. */
  readonly at: number;
  readonly how: HowLost;
}

/** What a keyspace says of its replicas on one node. */
interface ServingDescription {
  readonly hosted: number;
  readonly serving: number;
  readonly shards: readonly { readonly shard: number; readonly [field: string]: unknown }[];
}

/** Where the replicas of one keyspace are. */
export class KeyspaceTopology {
  readonly keyspace: ResolvedKeyspace;
  /** Per shard: the nodes of its replicas. */
  readonly placements: readonly (readonly string[])[];
  /** Per shard: of these sets of nodes each may be the one that decides. */
  readonly #deciders: (readonly (readonly string[])[])[];
  readonly #moved = new Set<number>();

  constructor(keyspace: ResolvedKeyspace, nodes: readonly ResolvedNode[]) {
    this.keyspace = keyspace;
    const { hash: keyspaceHash, shards, replicas } = keyspace;
    this.placements = Array.from(
      { length: shards },
      (_, shardIndex) => placeShard({ keyspaceHash, shardIndex, replicas, nodes }).replicas,
    );
    this.#deciders = this.placements.map((placed) => [placed]);
  }

  /**
   * Sets of nodes of which each may decide about the shard now: the placement, until somebody moves
   * the shard; more than one while a move is under way, or nobody knows what became of it.
   */
  decidersOf(shard: number): readonly (readonly string[])[] {
    return this.#deciders[shard] ?? [];
  }

  get deciders(): readonly (readonly string[])[] {
    return this.#deciders.flat();
  }

  /** Of so many replicas, how many may have lost what they held at a time. */
  bearableLosses(replicas: number): number {
    return this.#scenario?.bearableLosses?.(replicas) ?? majorityOf(replicas) - 1;
  }

  /** Whether it may be used at levels of datacenters. */
  get knowsDatacenters(): boolean {
    return this.#scenario?.knowsDatacenters ?? false;
  }

  get #scenario(): StrategyScenario | undefined {
    return STRATEGY_SCENARIOS.find(({ strategy }) => strategy === this.keyspace.strategy);
  }

  /** Who decides, where that is known; else those whom the last move was to. */
  newestOf(shard: number): readonly string[] {
    return this.decidersOf(shard).at(-1) ?? [];
  }

  /** Whether somebody has ever asked for a move of the shard. */
  wasMoved(shard: number): boolean {
    return this.#moved.has(shard);
  }

  /** From now on these, too, may come to decide. Not with a set that stands there already. */
  mayMoveTo(shard: number, nodes: readonly string[]): void {
    this.#moved.add(shard);
    this.#deciders[shard] = [...this.decidersOf(shard), nodes];
  }

  /** These do not, and nobody else has to be known for it. */
  hasNotMovedTo(shard: number, nodes: readonly string[]): void {
    this.#deciders[shard] = this.decidersOf(shard).filter((each) => each !== nodes);
  }

  /** These alone decide. */
  hasMovedTo(shard: number, nodes: readonly string[]): void {
    this.#deciders[shard] = [nodes];
  }

  shardOf(key: string): number {
    const { groupBy, shards } = this.keyspace;
    return shardIndexForKey(Buffer.from(key, "utf8"), groupBy, shards);
  }
}

/** Which node holds what, and whose loss of it the cluster still suffers from. */
export class Topology {
  /** Sorted by name. */
  readonly keyspaces: readonly KeyspaceTopology[];
  /** Everything that was lost. */
  readonly losses: LossOfNode[] = [];
  readonly #world: SimWorld;
  readonly #damaged = new Set<string>();
  readonly #weak = new Map<string, Loss>();

  /** @param configuration as the world's; strategies by their names. */
  constructor(world: SimWorld, configuration: Readonly<Record<string, unknown>>) {
    this.#world = world;
    const plugIn = () => undefined;
    const { plain } = separatePlugIns({
      ...configuration,
      cluster: { nodes: world.clusterNodes },
      transport: plugIn,
      storage: plugIn,
    });
    const { keyspaces, cluster } = resolveConfiguration(plain);
    this.keyspaces = keyspaces.map((each) => new KeyspaceTopology(each, cluster.nodes));
  }

  /** Sets of nodes, of each shard of each keyspace, of which a majority has to be whole. */
  get deciders(): readonly (readonly string[])[] {
    return this.keyspaces.flatMap(({ deciders }) => deciders);
  }

  /** The least that any keyspace asks for. */
  get durability(): Durability {
    const places = this.keyspaces.map(({ keyspace }) => DURABILITIES.indexOf(keyspace.durability));
    return DURABILITIES[Math.min(...places)] as Durability;
  }

  of(name: string): KeyspaceTopology {
    const found = this.keyspaces.find(({ keyspace }) => keyspace.name === name);
    if (found === undefined) throw new Error(`there is no keyspace ${JSON.stringify(name)} here`);
    return found;
  }

  /** Whether every replica that the node hosts serves, and counts for good. */
  isServing({ id, life }: SimNode): boolean {
    const store = life?.store;
    if (store === undefined) return false;
    return this.keyspaces.every((topology) => {
      const { name, strategy } = topology.keyspace;
      const description = store.keyspace(name).describe() as unknown as ServingDescription;
      const { hosted, serving, shards } = description;
      const { isWhole } = STRATEGY_SCENARIOS.find((each) => each.strategy === strategy) ?? {};
      if (isWhole === undefined) return hosted === serving;
      const own = shards.filter(({ shard }) =>
        topology.decidersOf(shard).some((nodes) => nodes.includes(id)),
      );
      const said = shards.filter(({ state }) => state === "serving").length;
      return own.every((shard) => isWhole(shard, said === serving));
    });
  }

  /** The node has lost what it held, or part of it. Called while it is down. */
  noteLoss(node: SimNode, how: HowLost): void {
    this.losses.push({ node: node.id, at: this.#world.time.nowMs, how });
    this.#weak.set(node.id, { atStart: node.starts + 1, servingSinceMs: undefined });
  }

  /**
   * Whether the node may lose what it holds now, so that every write of a majority is still held by
   * somebody who has not, and the others can go on: of each shard, no more copies are gone at a time
   * than its strategy bears. A majority of a datacenter (`local-quorum`) may be all that holds a write,
   * too; where one copy is such a majority, nothing is asked of it.
   */
  mayLose(id: string): boolean {
    this.#review();
    return this.keyspaces.every((keyspace) =>
      keyspace.deciders.every((replicas) => {
        if (!replicas.includes(id)) return true;
        return [replicas, ...this.#localMajorities(id, keyspace, replicas)].every((copies) => {
          const gone = copies.filter((other) => other === id || this.#weak.has(other));
          return gone.length <= keyspace.bearableLosses(copies.length);
        });
      }),
    );
  }

  /** Of the replicas those in the node's datacenter, where a majority of them holds writes alone. */
  #localMajorities(
    id: string,
    { knowsDatacenters }: KeyspaceTopology,
    replicas: readonly string[],
  ): readonly (readonly string[])[] {
    const near = replicas.filter((node) => this.#world.nearTo(id)?.includes(node));
    return knowsDatacenters && near.length > 1 ? [near] : [];
  }

  /** Whether the node decides about some shard with nobody beside it. */
  decidesAlone(id: string): boolean {
    return this.deciders.some((replicas) => replicas.every((other) => other === id));
  }

  /** Something on the node's disk is not what was written there. */
  noteDamage(id: string): void {
    this.#damaged.add(id);
  }

  /** Whether that ever was so. */
  wasDamaged(id: string): boolean {
    return this.#damaged.has(id);
  }

  /** Nodes that have lost something, and have not learned it again. */
  weak(): ReadonlySet<string> {
    this.#review();
    return new Set(this.#weak.keys());
  }

  #review(): void {
    const { nowMs } = this.#world.time;
    for (const [id, loss] of this.#weak) {
      const node = this.#world.node(id);
      const isBack = node.starts >= loss.atStart && this.isServing(node);
      if (!isBack) loss.servingSinceMs = undefined;
      else if (loss.servingSinceMs === undefined) loss.servingSinceMs = nowMs;
      else if (nowMs - loss.servingSinceMs > TRIAL_MS) this.#weak.delete(id);
    }
  }
}
