import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { UnservedShards } from "../../core/model/shard-lack.ts";
import type {
  KeyspaceDescription,
  NodeHealth,
  Store,
  StoreDescription,
} from "../../core/store/api.ts";
import { API, DEFAULT_KEYSPACE } from "../resource-path.ts";
import {
  type Health,
  type HealthSummary,
  healthAnswer,
  healthSummary,
  problemAnswer,
} from "../schemas.ts";
import { hasToken } from "../token-guard.ts";

const MODES: Readonly<Record<string, string>> = Object.freeze({ raft: "CP", dynamo: "AP" });

export interface ClusterRouteOptions {
  readonly insecure: boolean;
  /** Who shows none is told how the node is, and not who the others are and what they hold. */
  readonly asksForTokens: boolean;
}

export function addClusterRoutes(
  app: FastifyInstance,
  store: Store,
  { insecure, asksForTokens }: ClusterRouteOptions,
): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    `${API}/cluster/health`,
    {
      schema: {
        summary: "The cluster as this node sees it",
        tags: ["cluster"],
        response: { 200: z.union([healthAnswer, healthSummary]), default: problemAnswer },
      },
    },
    async (request) => {
      const health = healthOf(store, insecure);
      return asksForTokens && !hasToken(request) ? summaryOf(health) : health;
    },
  );
}

function healthOf(store: Store, insecure: boolean): Health {
  const description = store.describe();
  const { nodes } = description;
  const isMajority = description.side === "majority";
  return {
    total_nodes: nodes.length,
    healthy_nodes: nodes.filter((each) => each.status === "active").length,
    partitioned: nodes.some((each) => each.status === "unreachable"),
    consistency_mode: modeOf(description.keyspaces),
    writable_partitions: isMajority ? 1 : 0,
    read_only_partitions: isMajority ? 0 : 1,
    node: description.node,
    cluster: description.cluster,
    state: description.state,
    side: description.side,
    degraded: description.degraded,
    insecure,
    ...(description.storageProblems.length === 0
      ? {}
      : { storage_problems: description.storageProblems.map(problemBody) }),
    nodes: nodes.map(nodeBody),
    keyspaces: description.keyspaces.map(keyspaceBody),
  };
}

function summaryOf(health: Health): HealthSummary {
  const names = Object.keys(healthSummary.shape) as (keyof HealthSummary)[];
  return Object.fromEntries(names.map((name) => [name, health[name]])) as HealthSummary;
}

/** Of the keyspace `default`; where there is none, of the first. */
function modeOf(keyspaces: readonly KeyspaceDescription[]): string {
  const chosen = keyspaces.find((each) => each.name === DEFAULT_KEYSPACE) ?? keyspaces[0];
  return MODES[chosen?.strategy ?? ""] ?? chosen?.strategy ?? "none";
}

function problemBody({ what, reason, setAside }: StoreDescription["storageProblems"][number]) {
  return { what, reason, ...(setAside === undefined ? {} : { set_aside: setAside }) };
}

function nodeBody(node: NodeHealth): Health["nodes"][number] {
  return {
    node: node.node,
    status: node.status,
    datacenter: node.datacenter,
    ...(node.address === undefined ? {} : { address: node.address }),
    ...(node.http === undefined ? {} : { http: node.http }),
    ...(node.silentMs === undefined ? {} : { silent_ms: node.silentMs }),
    ...(node.refusal === undefined ? {} : { refusal: node.refusal }),
    ...(node.lacking === undefined ? {} : { lacking: [...node.lacking] }),
  };
}

function keyspaceBody(keyspace: KeyspaceDescription): Health["keyspaces"][number] {
  return {
    name: keyspace.name,
    strategy: keyspace.strategy,
    replicas: keyspace.replicas,
    shards: keyspace.shards,
    read_levels: [...keyspace.readLevels],
    write_levels: [...keyspace.writeLevels],
    read_default: keyspace.readDefault,
    write_default: keyspace.writeDefault,
    ...(keyspace.batch === undefined ? {} : { batch: keyspace.batch }),
    ...(keyspace.unserved === undefined ? {} : { unserved: keyspace.unserved.map(unservedBody) }),
  };
}

function unservedBody(unserved: UnservedShards) {
  const { shards, reason, reads, writes, missing, isHeld, logEnds } = unserved;
  return {
    ...{ shards: [...shards], reason, reads: [...reads], writes: [...writes] },
    ...{ missing: [...missing], held_here: isHeld },
    ...(logEnds !== undefined && { log_ends: [...logEnds] }),
  };
}
