import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ConflictRow, FactQuery, ReplicationRow, Store } from "../../core/store/api.ts";
import { API } from "../resource-path.ts";
import { conflictsAnswer, factQuery, problemAnswer, replicationsAnswer } from "../schemas.ts";

/** The tables of facts of the node that is asked. */
export function addFactRoutes(app: FastifyInstance, store: Store): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const common = { tags: ["cluster"], querystring: factQuery };
  typed.get(
    `${API}/cluster/replications`,
    {
      schema: {
        ...common,
        summary:
          "Which replicas held the writes that this node has seen through, when they were answered",
        response: { 200: replicationsAnswer, default: problemAnswer },
      },
    },
    async (request) => {
      const { rows, total } = await store.admin.replications(queryOf(request.query));
      return { rows: rows.map(replicationBody), total };
    },
  );
  typed.get(
    `${API}/cluster/conflicts`,
    {
      schema: {
        ...common,
        summary: "Which concurrent versions this node has met, and what became of them",
        response: { 200: conflictsAnswer, default: problemAnswer },
      },
    },
    async (request) => {
      const { rows, total } = await store.admin.conflicts(queryOf(request.query));
      return { rows: rows.map(conflictBody), total };
    },
  );
}

function queryOf(query: { readonly [Name in keyof FactQuery]: FactQuery[Name] | undefined }) {
  return Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== undefined),
  ) as FactQuery;
}

function replicationBody(row: ReplicationRow) {
  const { id, atMs, keyspace, shard, writes, key, keyHash, operation, version } = row;
  return {
    ...{ id, at: timeOf(atMs), keyspace, shard, writes },
    ...(key === undefined ? {} : { key }),
    ...(keyHash === undefined ? {} : { key_hash: keyHash }),
    ...(operation === undefined ? {} : { operation }),
    ...(version === undefined ? {} : { version }),
    ...(row.sequences === undefined ? {} : { sequences: [...row.sequences] }),
    source_node: row.sourceNode,
    replicated_to: [...row.replicatedTo],
  };
}

function conflictBody(row: ConflictRow) {
  const { id, atMs, keyspace, shard, key, resolution, resolvedVersion, discarded, node } = row;
  return {
    ...{ id, at: timeOf(atMs), keyspace, shard, key, key_hash: row.keyHash },
    conflicting_versions: [...row.versions],
    resolution,
    ...(resolvedVersion === undefined ? {} : { resolved_version: resolvedVersion }),
    ...{ discarded, node },
  };
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
