import { z } from "zod";
import type { ConflictRow, FactPage, ReplicationRow, ShardMembers } from "../core/store/api.ts";
import { check } from "./wire.ts";

const fact = z.object({
  id: z.number(),
  at: z.string(),
  keyspace: z.string(),
  shard: z.number(),
});

const replications = z.object({
  rows: z.array(
    fact.extend({
      writes: z.number(),
      key: z.string().optional(),
      key_hash: z.string().optional(),
      operation: z.enum(["put", "delete", "update"]).optional(),
      version: z.string().optional(),
      sequences: z.tuple([z.number(), z.number()]).optional(),
      source_node: z.string(),
      replicated_to: z.array(z.string()),
    }),
  ),
  total: z.number(),
});

const conflicts = z.object({
  rows: z.array(
    fact.extend({
      key: z.string(),
      key_hash: z.string(),
      conflicting_versions: z.array(z.string()),
      resolution: z.string(),
      resolved_version: z.string().optional(),
      discarded: z.number(),
      node: z.string(),
    }),
  ),
  total: z.number(),
});

const members = z.object({
  keyspace: z.string(),
  shard: z.number(),
  leader: z.string().optional(),
  replicas: z.array(z.string()),
  learners: z.array(z.string()),
  changing_to: z.array(z.string()).optional(),
});

export function toMembers(body: unknown): ShardMembers {
  const { changing_to: changingTo, leader, ...found } = check(members, body);
  return {
    ...found,
    ...(leader === undefined ? {} : { leader }),
    ...(changingTo === undefined ? {} : { changingTo }),
  };
}

export function toReplications(body: unknown): FactPage<ReplicationRow> {
  const { rows, total } = check(replications, body);
  return {
    total,
    rows: rows.map(({ at, key, key_hash, operation, version, sequences, ...row }) => ({
      ...{ id: row.id, atMs: Date.parse(at), keyspace: row.keyspace, shard: row.shard },
      writes: row.writes,
      ...(key === undefined ? {} : { key }),
      ...(key_hash === undefined ? {} : { keyHash: key_hash }),
      ...(operation === undefined ? {} : { operation }),
      ...(version === undefined ? {} : { version }),
      ...(sequences === undefined ? {} : { sequences }),
      sourceNode: row.source_node,
      replicatedTo: row.replicated_to,
    })),
  };
}

export function toConflicts(body: unknown): FactPage<ConflictRow> {
  const { rows, total } = check(conflicts, body);
  return {
    total,
    rows: rows.map(({ at, key_hash, conflicting_versions, resolved_version, ...row }) => ({
      ...{ id: row.id, atMs: Date.parse(at), keyspace: row.keyspace, shard: row.shard },
      ...{ key: row.key, keyHash: key_hash, versions: conflicting_versions },
      resolution: row.resolution,
      ...(resolved_version === undefined ? {} : { resolvedVersion: resolved_version }),
      ...{ discarded: row.discarded, node: row.node },
    })),
  };
}
