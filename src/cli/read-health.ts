import { z } from "zod";
import { describeFetchFailure } from "../client/fetch-failure.ts";
import type { Environment } from "../core/contracts/environment.ts";
import { CapstanError } from "../core/model/errors.ts";

const unserved = z.looseObject({
  shards: z.array(z.number()),
  reason: z.string(),
  reads: z.array(z.string()),
  writes: z.array(z.string()),
  missing: z.array(z.string()),
  held_here: z.boolean(),
});

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
  readonly environment: Environment;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * What a node says of itself and its cluster.
 *
 * @throws CapstanError `UNREACHABLE_SERVER` where none answers, `NOT_FOUND` where something else does.
 */
export async function fetchHealth(url: string, request: HealthRequest): Promise<Health> {
  const { environment, timeoutMs, signal } = request;
  const deadline = new AbortController();
  const abort = (): void => deadline.abort();
  const timer = environment.setTimer(timeoutMs, abort);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    const response = await fetch(`${url}/api/v1/cluster/health`, { signal: deadline.signal });
    const parsed = health.safeParse(await response.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new CapstanError("NOT_FOUND", `what answers at ${url} is no Capstan node`);
  } catch (error) {
    if (error instanceof CapstanError) throw error;
    if (signal?.aborted) throw new CapstanError("ABORTED", "interrupted before an answer came");
    throw unreachable(url, timeoutMs, deadline.signal.aborted, error);
  } finally {
    environment.clearTimer(timer);
    signal?.removeEventListener("abort", abort);
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

function unreachable(url: string, timeoutMs: number, late: boolean, error: unknown): CapstanError {
  const why = late ? `no answer within ${timeoutMs} ms` : describeFetchFailure(error);
  return new CapstanError("UNREACHABLE_SERVER", `${url} cannot be reached (${why})`, {
    cause: error,
  });
}
