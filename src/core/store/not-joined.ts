import { CapstanError } from "../model/errors.ts";
import type { NodeId } from "../model/ids.ts";
import type { PeerNetwork, PeerStanding } from "./seams.ts";
import { unmetPeers } from "./unmet-peers.ts";

/** Why a node takes no requests before it has joined its cluster. `peers`: undefined before they open. */
export function notJoined(
  node: NodeId,
  peers: PeerNetwork | undefined,
  digest: string,
): CapstanError {
  if (peers === undefined) {
    return new CapstanError("NOT_READY", `node ${node} is not open yet`, { details: { node } });
  }
  const { peers: unmet, causes, text } = unmetPeers(peers, digest);
  return new CapstanError(
    "NOT_READY",
    `node ${node} has not joined its cluster: ${text}; await store.ready()`,
    { details: { node, peers: unmet, causes } },
  );
}

/** Why a keyspace that is new here takes none: it is not known yet how it begins. */
export function notBegun(
  keyspace: string,
  node: NodeId,
  standings: readonly PeerStanding[],
): CapstanError {
  const names = standings
    .filter(({ standing }) => standing === "unmet" || standing === "never")
    .map((peer) => peer.node);
  return new CapstanError(
    "UNAVAILABLE",
    `keyspace "${keyspace}" is new to node ${node}, and begins once it was heard from all nodes that ` +
      `nothing of it is to be learned; so far not from ${names.join(", ") || "this node's own disk"}`,
    { details: { keyspace, node, waitsFor: names } },
  );
}
