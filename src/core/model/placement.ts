import { hash32, hashText } from "./hash.ts";
import type { NodeId } from "./ids.ts";

export interface PlacementNode {
  readonly id: NodeId;
  readonly datacenter: string;
}

export interface PlacementRequest {
  readonly keyspaceHash: number;
  readonly shardIndex: number;
  /** How many replicas are wanted; where there are fewer nodes, all of them hold one. */
  readonly replicas: number;
  /** In any order; ids are unique. */
  readonly nodes: readonly PlacementNode[];
  /** How many of the next nodes to name. Default: as many as `replicas`. */
  readonly standIns?: number;
}

export interface Placement {
  readonly replicas: NodeId[];
  /** The next nodes in the same order. */
  readonly standIns: NodeId[];
}

interface Candidate {
  readonly id: NodeId;
  readonly datacenter: string;
  readonly weight: number;
  /** How many nodes of its datacenter weigh more. */
  round: number;
}

/**
 * Which nodes hold a shard, by rendezvous hashing (Thaler and Ravishankar 1998, §3): each node
 * weighs `hash(node, shard)`, the heaviest are chosen, so that a node that joins or leaves moves
 * only the replicas that it gets or had.
 *
 * Datacenters take turns: round k offers the k-th heaviest node of each, so that none holds a
 * second replica before every datacenter with a free node holds one. A change of one node still
 * changes at most one replica of a shard.
 */
export function placeShard(request: PlacementRequest): Placement {
  const { replicas, standIns = replicas } = request;
  const order = placementOrder(request);
  return {
    replicas: order.slice(0, replicas),
    standIns: order.slice(replicas, replicas + standIns),
  };
}

/** The next nodes in placement order, where others than the order's first hold the shard. */
export function standInsBeside(members: readonly NodeId[], request: PlacementRequest): NodeId[] {
  const { replicas, standIns = replicas } = request;
  const others = placementOrder(request).filter((node) => !members.includes(node));
  return others.slice(0, standIns);
}

function placementOrder({ keyspaceHash, shardIndex, nodes }: PlacementRequest): NodeId[] {
  const seed = shardSeed(keyspaceHash, shardIndex);
  const candidates: Candidate[] = nodes.map(({ id, datacenter }) => ({
    id,
    datacenter,
    weight: hashText(id, seed),
    round: 0,
  }));
  candidates.sort(byWeight);
  const seen = new Map<string, number>();
  for (const candidate of candidates) {
    candidate.round = seen.get(candidate.datacenter) ?? 0;
    seen.set(candidate.datacenter, candidate.round + 1);
  }
  return candidates.sort((a, b) => a.round - b.round || byWeight(a, b)).map(({ id }) => id);
}

/** Heaviest first; the id decides between equal weights, so that the order is total. */
function byWeight(a: Candidate, b: Candidate): number {
  if (a.weight !== b.weight) return a.weight > b.weight ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function shardSeed(keyspaceHash: number, shardIndex: number): number {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, keyspaceHash);
  view.setUint32(4, shardIndex);
  return hash32(bytes);
}
