import type { UnservedShards } from "../model/shard-lack.ts";
import type { BatchKind, KeyspaceDescription, NodeHealth, StoreDescription } from "./api.ts";
import type { StoreParts } from "./node-store.ts";
import type { PeerDescription } from "./seams.ts";
import { unservedShards } from "./unserved-shards.ts";

/** What health, console and tests read of a store. */
export function describeStore(parts: StoreParts): StoreDescription {
  const { self, configuration, lifecycle, peers } = parts;
  const network = peers.describe();
  const byNode = new Map(network.peers.map((peer) => [peer.node as string, peer]));
  const { nodes } = configuration.cluster;
  // Of those that this node does not have it knows by the peers that it meets.
  const further = new Set(network.peers.flatMap((peer) => peer.further ?? []));
  return {
    node: self.node,
    cluster: configuration.cluster.name,
    clusterId: peers.clusterId,
    storeId: self.storeId,
    incarnation: self.incarnation,
    state: lifecycle.state,
    degraded: degradedReasons(parts).length > 0,
    side: network.side,
    storageProblems: parts.problems,
    nodes: nodes.map(
      (node): NodeHealth => ({
        node: node.id,
        address: node.peer,
        http: node.http,
        datacenter: node.datacenter,
        ...(node.id === self.node
          ? { status: "active", silentMs: 0, ...lackingOf([...further]) }
          : peerHealth(byNode.get(node.id), further)),
      }),
    ),
    keyspaces: configuration.keyspaces.map((keyspace) => describeKeyspace(parts, keyspace.name)),
  };
}

/** Why a loss of this one node, or process, would be felt more than the configuration says. */
export function degradedReasons({
  configuration,
}: Pick<StoreParts, "configuration">): readonly string[] {
  const { cluster, keyspaces } = configuration;
  const count = cluster.nodes.length;
  if (count === 1) return ["there is one node: what it holds has no other copy"];
  return keyspaces
    .filter(({ replicas }) => replicas > count)
    .map(({ name, replicas }) => `${name} asks for ${replicas} replicas, there are ${count} nodes`);
}

type PeerHealth = Pick<NodeHealth, "status" | "silentMs" | "refusal" | "lacking">;

function peerHealth(peer: PeerDescription | undefined, further: ReadonlySet<string>): PeerHealth {
  const silentMs = peer?.silentMs;
  const refusal = peer?.connected === true ? peer.refusal : undefined;
  if (peer?.joining === true) return { status: "joining", silentMs, refusal };
  if (peer === undefined || (peer.identity === undefined && !peer.reachable)) {
    return { status: "unknown", silentMs, refusal };
  }
  const status = peer.reachable ? "active" : "unreachable";
  return { status, silentMs, refusal, ...lackingOf(lackedBy(peer, further)) };
}

/** Of this node's keyspaces, and of those that other peers have beside them. */
function lackedBy(peer: PeerDescription, further: ReadonlySet<string>): readonly string[] {
  const { lacking, further: own = [] } = peer;
  if (lacking === undefined) return [];
  return [...lacking, ...[...further].filter((keyspace) => !own.includes(keyspace))];
}

function lackingOf(keyspaces: readonly string[]): Pick<NodeHealth, "lacking"> {
  return keyspaces.length === 0 ? {} : { lacking: [...keyspaces].sort() };
}

function describeKeyspace({ configuration, keyspaces }: StoreParts, name: string) {
  const resolved = configuration.keyspaces.find((each) => each.name === name);
  const open = keyspaces.get(name);
  if (resolved === undefined || open === undefined) throw new Error(`no keyspace ${name}`);
  const { capabilities } = open.engine;
  return {
    name,
    strategy: resolved.strategy,
    replicas: Math.min(resolved.replicas, configuration.cluster.nodes.length),
    shards: resolved.shards,
    readLevels: capabilities.readLevels,
    writeLevels: capabilities.writeLevels,
    readDefault: open.defaults.read,
    writeDefault: open.defaults.write,
    ...batchKindOf(capabilities.batch),
    ...unservedOf(unservedShards(open.engine, resolved.shards)),
    engine: open.engine.describe(),
  } satisfies KeyspaceDescription;
}

function unservedOf(unserved: readonly UnservedShards[]): Pick<KeyspaceDescription, "unserved"> {
  return unserved.length === 0 ? {} : { unserved };
}

function batchKindOf(batch: boolean | "per-key"): { readonly batch?: BatchKind } {
  if (batch === false) return {};
  return { batch: batch === "per-key" ? batch : "all-or-nothing" };
}
