import type { PeerDescription, PeerNetwork } from "./seams.ts";

/** Of a digest, what is enough to tell two configurations apart by eye. */
const DIGEST_PREFIX = 8;

/** The peers that a node cannot exchange messages with, and why. Made for people, on demand. */
export interface UnmetPeers {
  /** In the order of the configuration's nodes. */
  readonly peers: readonly string[];
  /** One for each of `peers`: `not-connected`, `unheard`, `taken`, `joining`, `silent`, or its refusal. */
  readonly causes: readonly string[];
  /** The same in words; empty if it is not the peers that are waited for. */
  readonly text: string;
}

/** Before this node has joined, peers that it has met and that join along with it do not count. */
export function unmetPeers(network: PeerNetwork, digest: string): UnmetPeers {
  const isBorn = network.clusterId !== undefined;
  const unmet = network
    .describe()
    .peers.filter(({ reachable, joining }) => !reachable && (isBorn || !joining));
  const words = unmet.map((peer) => inWords(peer, digest));
  if (unmet.length === 0 && !isBorn) {
    words.push("its peers are met, and none has told the cluster's id yet");
  }
  const causes = unmet.map(causeOf);
  // Whoever starts its first cluster node by node, or three of four, waits here.
  const isAway = !isBorn && unmet.length > 0 && causes.every((cause) => cause === "not-connected");
  const why = isAway ? "; a new cluster begins once all its nodes have met" : "";
  return {
    peers: unmet.map(({ node }) => node),
    causes,
    text: `${words.join(", ")}${why}`,
  };
}

function causeOf(peer: PeerDescription): string {
  const { connected, joining, refusal, identity, silentMs, isTaken } = peer;
  if (isTaken === true) return "taken";
  if (!connected) return "not-connected";
  if (joining) return "joining";
  if (refusal !== undefined) return refusal;
  if (identity === undefined || silentMs === undefined) return "unheard";
  return "silent";
}

function inWords(peer: PeerDescription, digest: string): string {
  const { node, silentMs } = peer;
  switch (causeOf(peer)) {
    case "not-connected":
      return `${node} is not connected${lastHeard(silentMs)}`;
    case "taken":
      return `${node} is connected with another process that runs under this node's id`;
    case "unheard":
      return `${node} was not heard yet`;
    case "joining":
      return `${node} has not joined the cluster yet`;
    case "silent":
      return `${node} does not answer${lastHeard(silentMs)}`;
    case "configuration-mismatch": {
      const theirs = peer.refusedDigest?.slice(0, DIGEST_PREFIX);
      const ours = digest.slice(0, DIGEST_PREFIX);
      const where = peer.refusedPaths ?? [];
      const what = where.length === 0 ? "" : `${where.join(", ")} differ; `;
      return `${node} is refused (another configuration: ${what}digest ${theirs}, here ${ours})`;
    }
    case "cluster-mismatch":
      return `${node} is refused (its data belongs to another cluster)`;
    case "identity-taken":
      return `${node} is refused (another process was met under this node id, and may still live)`;
    case "identity-conflict":
      return `${node} is refused (two processes run under this node id)`;
    case "old-copy":
      return `${node} is refused (it runs on an older copy of its data)`;
    case "followed":
      return `${node} is refused (another store of its was met since, and it has to learn of that)`;
    default:
      return `${node} is refused (${peer.refusal})`;
  }
}

function lastHeard(silentMs: number | undefined): string {
  return silentMs === undefined ? "" : `, last heard ${Math.round(silentMs)} ms ago`;
}
