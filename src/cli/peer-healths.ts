import type { Access } from "./client-session.ts";
import { type Health, readHealth } from "./read-health.ts";

/** What one of them does not answer in this time it is not asked again. */
const PATIENCE_MS = 2_000;

export interface PeerHealths {
  /** Of those that have answered. */
  readonly healths: readonly Health[];
  /** Nodes that are there, and were not heard: no HTTP address of them is known here, or none answers. */
  readonly unheard: readonly string[];
}

/** What the other nodes say that the one which was asked can reach, each by its own HTTP address. */
export async function peerHealths(
  { node: asked, nodes }: Health,
  url: string,
  access: Access,
  signal: AbortSignal,
): Promise<PeerHealths> {
  const { protocol } = new URL(url);
  const there = nodes.filter(({ node, status }) => node !== asked && status === "active");
  const heard = await Promise.all(
    there.map(async ({ node, http }) => {
      if (http === undefined) return undefined;
      const request = { access, timeoutMs: PATIENCE_MS, signal };
      const health = await readHealth(`${protocol}//${http}`, request);
      // Behind one address there may be another cluster's node.
      return health?.node === node ? health : undefined;
    }),
  );
  return {
    healths: heard.filter((health) => health !== undefined),
    unheard: there.filter((_node, at) => heard[at] === undefined).map(({ node }) => node),
  };
}

/**
 * The same, with what its peers say of raft shards of which it has no copy: that so many replicas have
 * lost their stores that nobody can be elected, only those know which are left.
 */
export function withLostQuorums(health: Health, peers: readonly Health[]): Health {
  const keyspaces = health.keyspaces.map((keyspace) => {
    const { name, unserved: own = [] } = keyspace;
    const known = new Set(own.flatMap(({ reason, shards }) => (isLost(reason) ? shards : [])));
    const told = peers.flatMap(({ node, keyspaces: theirs }) =>
      theirs
        .filter((each) => each.name === name)
        .flatMap(({ unserved = [] }) => unserved)
        .filter(({ reason }) => isLost(reason))
        .flatMap(({ log_ends: _theirs, ...lack }) => {
          const shards = lack.shards.filter((shard) => !known.has(shard));
          for (const shard of shards) known.add(shard);
          return shards.length === 0 ? [] : [{ ...lack, shards, held_here: false, told_by: node }];
        }),
    );
    if (told.length === 0) return keyspace;
    const toldShards = new Set(told.flatMap(({ shards }) => shards));
    const others = own.flatMap((lack) => {
      const shards = lack.shards.filter((shard) => !toldShards.has(shard));
      return shards.length === 0 ? [] : [{ ...lack, shards }];
    });
    return { ...keyspace, unserved: [...others, ...told] };
  });
  return { ...health, keyspaces };
}

/** Whether a node may be without a copy of some raft shard. */
export function mayLackCopies({ keyspaces, total_nodes: nodes }: Health): boolean {
  return keyspaces.some(({ strategy, replicas }) => strategy === "raft" && replicas < nodes);
}

function isLost(reason: string): boolean {
  return reason === "quorum-lost";
}
