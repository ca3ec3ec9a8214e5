import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import type { JointPlacement } from "./place/joint-placement.ts";
import { neededFor } from "./receipts.ts";
import { countOf, type ReplicaMask } from "./replica-answers.ts";

/** Replicas of which so many have to answer. */
export interface DemandGroup {
  readonly members: ReplicaMask;
  readonly count: number;
  /** Where they all are; undefined where it does not matter. */
  readonly datacenter: string | undefined;
}

/**
 * What a level demands of a shard's replicas. A level that is a count has one group, of them all;
 * `local-quorum` one of those in this node's datacenter; `each-quorum` one for each datacenter.
 *
 * Majorities of every datacenter are a majority of all, since `⌊n / 2⌋ + 1 > n / 2` for each: what
 * is promised of `quorum` is promised of `each-quorum`, too.
 */
export interface Demand {
  readonly level: Level;
  /** Of all groups together: no fewer answers meet it. */
  readonly count: number;
  readonly groups: readonly DemandGroup[];
}

/** Places of a shard, and where this node is. */
export interface DemandPlaces {
  readonly placement: JointPlacement;
  readonly self: NodeId;
  readonly datacenterOf: (node: NodeId) => string;
}

/** What is to be met: while a shard is moved, reads and writes have to do so in other sets. */
export type DemandSide = "read" | "write";

/** Undefined where these replicas can never meet the level. */
export function demandOf(
  level: Level,
  places: DemandPlaces,
  side: DemandSide = "read",
): Demand | undefined {
  const { placement } = places;
  const sets = side === "read" ? placement.readSets : placement.writeSets;
  return sets === undefined ? demandOfOne(level, places) : demandOfSets(level, places, sets);
}

/** Met in each of the sets, by their places among all. */
function demandOfSets(
  level: Level,
  places: DemandPlaces,
  sets: readonly (readonly NodeId[])[],
): Demand | undefined {
  const { replicas } = places.placement;
  const groups: DemandGroup[] = [];
  for (const set of sets) {
    const demand = demandOfOne(level, {
      ...places,
      placement: { ...places.placement, replicas: set },
    });
    if (demand === undefined) return undefined;
    const inSet = set.map((node) => 1 << replicas.indexOf(node));
    for (const group of demand.groups) {
      const members = inSet.reduce((sum, bit, at) => ((group.members >> at) & 1) * bit + sum, 0);
      groups.push({ ...group, members });
    }
  }
  return { level, count: groups.reduce((sum, { count }) => sum + count, 0), groups };
}

function demandOfOne(level: Level, places: DemandPlaces): Demand | undefined {
  const { placement, self, datacenterOf } = places;
  switch (level) {
    case "local-quorum": {
      const local = groupsOf(places).find(({ datacenter }) => datacenter === datacenterOf(self));
      return local && { level, count: local.count, groups: [local] };
    }
    case "each-quorum": {
      const groups = groupsOf(places);
      return { level, count: groups.reduce((sum, { count }) => sum + count, 0), groups };
    }
    default: {
      const total = placement.replicas.length;
      const count = neededFor(level, total);
      if (count === undefined) return undefined;
      return { level, count, groups: [{ members: 2 ** total - 1, count, datacenter: undefined }] };
    }
  }
}

export function isMetBy({ groups }: Demand, answered: ReplicaMask): boolean {
  for (const { members, count } of groups) {
    if (countOf(answered & members) < count) return false;
  }
  return true;
}

/** Whether fewer answers may do, where the keyspace's policy prefers that to a fault. */
export function mayLower(policy: PartitionPolicy, level: Level): boolean {
  return policy === "prefer-availability" && level !== "strong" && level !== "each-quorum";
}

/** The replicas whose answers it is about. */
export function membersOf({ groups }: Demand): ReplicaMask {
  let members = 0;
  for (const group of groups) members |= group.members;
  return members;
}

/** One answer less than the level needs: a planted bug. */
export function oneLess(demand: Demand): Demand {
  const [first, ...others] = demand.groups as readonly [DemandGroup, ...DemandGroup[]];
  const count = Math.max(1, first.count - 1);
  return {
    ...demand,
    count: demand.count - first.count + count,
    groups: [{ ...first, count }, ...others],
  };
}

/** The same number of answers, wherever they are from: a planted bug. */
function countedOverAll(demand: Demand): Demand {
  const { count } = demand;
  return { ...demand, groups: [{ members: membersOf(demand), count, datacenter: undefined }] };
}

/** `2 of n1, n2, n3 in east and 2 of n4, n5, n6 in west`. */
export function describeDemand({ groups }: Demand, replicas: readonly NodeId[]): string {
  return groups
    .map(({ members, count, datacenter }) => {
      const nodes = replicas.filter((_node, index) => (members & (1 << index)) !== 0);
      const where = datacenter === undefined ? "" : ` in ${datacenter}`;
      return `${count} of ${datacenter === undefined ? "the replicas " : ""}${nodes.join(", ")}${where}`;
    })
    .join(" and ");
}

/** The demands of a keyspace's levels, shard by shard; each is made once for a placement. */
export class Demands {
  readonly #context: CoordinatorContext;
  readonly #eachOverAll: boolean;
  readonly #known: {
    readonly placement: JointPlacement;
    readonly read: Map<Level, Demand | undefined>;
    readonly write: Map<Level, Demand | undefined>;
  }[] = [];

  constructor(context: CoordinatorContext, eachOverAll = false) {
    this.#context = context;
    this.#eachOverAll = eachOverAll;
  }

  /** Undefined where the shard's replicas can never meet the level. */
  of(level: Level, shardIndex: number, side: DemandSide = "read"): Demand | undefined {
    const placement = this.#context.placement(shardIndex);
    let known = this.#known[shardIndex];
    if (known?.placement !== placement) {
      known = { placement, read: new Map(), write: new Map() };
      this.#known[shardIndex] = known;
    }
    const byLevel = known[side];
    const found = byLevel.get(level);
    if (found !== undefined || byLevel.has(level)) return found;
    const made = this.#make(level, placement, side);
    byLevel.set(level, made);
    return made;
  }

  /** While the shard is moved: those of the smaller one of the sets that have to meet a level. */
  replicasOf(shardIndex: number, side: DemandSide = "read"): number {
    const { replicas, readSets, writeSets }: JointPlacement = this.#context.placement(shardIndex);
    const sets = (side === "read" ? readSets : writeSets) ?? [replicas];
    return Math.min(...sets.map(({ length }) => length));
  }

  #make(level: Level, placement: JointPlacement, side: DemandSide): Demand | undefined {
    const { self, datacenterOf = () => "" } = this.#context;
    const demand = demandOf(level, { placement, self: self.node, datacenterOf }, side);
    if (demand === undefined || level !== "each-quorum" || !this.#eachOverAll) return demand;
    return countedOverAll(demand);
  }
}

/** A majority of each datacenter that holds replicas, in the order of the replicas. */
function groupsOf({ placement, datacenterOf }: DemandPlaces): readonly DemandGroup[] {
  const members = new Map<string, ReplicaMask>();
  for (const [index, node] of placement.replicas.entries()) {
    const datacenter = datacenterOf(node);
    members.set(datacenter, (members.get(datacenter) ?? 0) | (1 << index));
  }
  return [...members].map(([datacenter, mask]) => ({
    members: mask,
    count: majorityOf(countOf(mask)),
    datacenter,
  }));
}
