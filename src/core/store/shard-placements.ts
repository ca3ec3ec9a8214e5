import type { ShardMap, ShardPlacement } from "../contracts/machine.ts";
import type { ResolvedKeyspace, ResolvedNode } from "../model/configuration-types.ts";
import type { Epoch } from "../model/ids.ts";
import { type PlacementRequest, placeShard, standInsBeside } from "../model/placement.ts";

/** Of what the configuration says; a shard whose replicas were changed is at a later one. */
const FIRST_EPOCH = 1 as Epoch;

/**
 * Who holds each shard of a keyspace, as this node knows it: at first whom the configuration names,
 * then whom the newest map does that a replica here has heard of. The epoch of a shard only rises.
 */
export class ShardPlacements {
  readonly #keyspace: ResolvedKeyspace;
  readonly #nodes: readonly ResolvedNode[];
  readonly #placements: ShardPlacement[];

  constructor(keyspace: ResolvedKeyspace, nodes: readonly ResolvedNode[]) {
    this.#keyspace = keyspace;
    this.#nodes = nodes;
    this.#placements = Array.from({ length: keyspace.shards }, (_, shardIndex) => {
      const placed = placeShard(this.#requestOf(shardIndex));
      return Object.freeze({ epoch: FIRST_EPOCH, ...placed });
    });
  }

  /** By shard; the very list, which changes with the maps. */
  get all(): readonly ShardPlacement[] {
    return this.#placements;
  }

  of(shardIndex: number): ShardPlacement {
    return this.#placements[shardIndex] as ShardPlacement;
  }

  /** What the map makes of it; undefined where this or a newer map is known already. */
  place(shardIndex: number, map: ShardMap): ShardPlacement | undefined {
    if (map.epoch <= this.of(shardIndex).epoch) return undefined;
    const members = [...map.replicas, ...(map.pending ?? []), ...(map.leaving ?? [])];
    const standIns = standInsBeside(members, this.#requestOf(shardIndex));
    const others = this.#nodes.map(({ id }) => id).filter((node) => !members.includes(node));
    const placement = Object.freeze({ ...map, standIns, others });
    this.#placements[shardIndex] = placement;
    return placement;
  }

  #requestOf(shardIndex: number): PlacementRequest {
    const { hash: keyspaceHash, replicas } = this.#keyspace;
    return { keyspaceHash, shardIndex, replicas, nodes: this.#nodes };
  }
}
