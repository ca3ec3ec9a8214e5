import type { PeerNetwork } from "../seams.ts";
import type { PeerNetworkOptions } from "./peer-network-options.ts";

export type { PeerNetworkOptions } from "./peer-network-options.ts";

/** The other nodes of the cluster, seen from this one. Nothing happens before `start`. */
export type CreatePeerNetwork = (options: PeerNetworkOptions) => PeerNetwork;
