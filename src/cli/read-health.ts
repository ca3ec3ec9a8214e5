import { z } from "zod";
import { connect } from "../client/index.ts";
import { CapstanError } from "../core/model/errors.ts";
import type { Access } from "./client-session.ts";

const unserved = z.looseObject({
  shards: z.array(z.number()),
  reason: z.string(),
  reads: z.array(z.string()),
  writes: z.array(z.string()),
  missing: z.array(z.string()),
  held_here: z.boolean(),
  log_ends: z
    .array(z.looseObject({ shard: z.number(), term: z.number(), index: z.number() }))
    .optional(),
  /** Not of the node that was asked, but of one that has a copy. */
  told_by: z.string().optional(),
});

/** What a node says also to who shows no token. */
const summary = z.looseObject({
  node: z.string(),
  state: z.string(),
  total_nodes: z.number(),
  healthy_nodes: z.number(),
});

export type HealthSummary = z.infer<typeof summary>;

/** Of `GET /api/v1/cluster/health`, what the command line shows. Loose: newer nodes may say more. */
const health = z.looseObject({
  total_nodes: z.number(),
  healthy_nodes: z.number(),
  partitioned: z.boolean(),
  node: z.string(),
  cluster: z.string(),
  state: z.string(),
  side: z.string(),
  degraded: z.boolean(),
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      status: z.string(),
      datacenter: z.string(),
      address: z.string().optional(),
      http: z.string().optional(),
      silent_ms: z.number().optional(),
      refusal: z.string().optional(),
      lacking: z.array(z.string()).optional(),
    }),
  ),
  keyspaces: z.array(
    z.looseObject({
      name: z.string(),
      strategy: z.string(),
      replicas: z.number(),
      shards: z.number(),
      read_levels: z.array(z.string()),
      write_levels: z.array(z.string()),
      read_default: z.string(),
      write_default: z.string(),
      unserved: z.array(unserved).optional(),
    }),
  ),
});

export type Health = z.infer<typeof health>;

/** Shards that do not serve some levels, all for the same reason. */
export type Unserved = z.infer<typeof unserved>;

export interface HealthRequest {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** With what the node is spoken to beside its address. */
  readonly access?: Access;
}

/**
 * What a node says of itself and its cluster.
 *
 * @throws CapstanError `UNREACHABLE_SERVER` where none answers, `NOT_FOUND` where something else does.
 */
export async function fetchHealth(url: string, request: HealthRequest): Promise<Health> {
  const { timeoutMs, signal, access } = request;
  const client = connect({ url, timeoutMs, ...access });
  try {
    const answer = await client.health(signal === undefined ? {} : { signal });
    const parsed = health.safeParse(answer);
    if (parsed.success) return parsed.data;
    if (summary.safeParse(answer).success) {
      throw new CapstanError("UNAUTHENTICATED", `${url} says so little to who shows no token`);
    }
    throw new CapstanError("NOT_FOUND", `what answers at ${url} is no Capstan node`);
  } finally {
    await client.close();
  }
}

/** Undefined where no Capstan node answers. */
export async function readHealth(url: string, request: HealthRequest): Promise<Health | undefined> {
  try {
    return await fetchHealth(url, request);
  } catch {
    return undefined;
  }
}

/** What a node says to everybody; undefined where no Capstan node answers. */
export async function readSummary(
  url: string,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<HealthSummary | undefined> {
  const client = connect({ url, timeoutMs });
  try {
    return summary.safeParse(await client.health()).data;
  } catch {
    return undefined;
  } finally {
    await client.close();
  }
}
