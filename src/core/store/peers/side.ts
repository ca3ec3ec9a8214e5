import type { PeerNetworkDescription } from "../seams.ts";

export type Side = PeerNetworkDescription["side"];

/**
 * What a node may think of its own side of a broken network, from how many of the configured nodes
 * it reaches. For people: whether an operation succeeds is decided per shard, by its quorum.
 */
export function sideOf(reachablePeers: number, nodes: number): Side {
  if (2 * (reachablePeers + 1) > nodes) return "majority";
  return reachablePeers === 0 ? "isolated" : "minority";
}
