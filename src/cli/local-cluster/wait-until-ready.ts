import type { Environment } from "../../core/contracts/environment.ts";
import { type HealthSummary, readSummary } from "../read-health.ts";
import { pause } from "../surroundings.ts";
import type { NodeProcess } from "./node-process.ts";
import { LOCAL_HOST, type PlannedNode } from "./plan-cluster.ts";

const POLL_MS = 100;
const PROGRESS_MS = 3_000;
const GIVE_UP_MS = 60_000;

export type Readiness =
  | { readonly kind: "ready"; readonly elapsedMs: number }
  | { readonly kind: "died"; readonly node: NodeProcess }
  | { readonly kind: "interrupted" }
  | { readonly kind: "late"; readonly states: string };

export interface WaitRequest {
  readonly planned: readonly PlannedNode[];
  readonly processes: readonly NodeProcess[];
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly onProgress: (states: string) => void;
}

/** Asks every node until all say that they serve and see each other. Bounded. */
export async function waitUntilReady(request: WaitRequest): Promise<Readiness> {
  const { planned, processes, environment, signal, onProgress } = request;
  const startMs = environment.monotonicMs();
  let nextProgressMs = startMs + PROGRESS_MS;
  for (;;) {
    if (signal.aborted) return { kind: "interrupted" };
    const dead = processes.find((node) => node.exit !== undefined);
    if (dead !== undefined) return { kind: "died", node: dead };
    const healths = await Promise.all(planned.map((node) => healthOf(node)));
    const nowMs = environment.monotonicMs();
    if (healths.every(isReady)) return { kind: "ready", elapsedMs: nowMs - startMs };
    const states = planned.map(({ id }, index) => `${id} ${stateOf(healths[index])}`).join(", ");
    if (nowMs - startMs >= GIVE_UP_MS) return { kind: "late", states };
    if (nowMs >= nextProgressMs) {
      onProgress(states);
      nextProgressMs = nowMs + PROGRESS_MS;
    }
    await pause(environment, POLL_MS, signal);
  }
}

function healthOf({ httpPort }: PlannedNode) {
  return readSummary(`http://${LOCAL_HOST}:${httpPort}`, { timeoutMs: 1_000 });
}

function isReady(health: HealthSummary | undefined): boolean {
  return (
    health !== undefined && health.state === "ready" && health.healthy_nodes === health.total_nodes
  );
}

/** Never with the word that says that the whole cluster serves: people and scripts wait for it. */
function stateOf(health: HealthSummary | undefined): string {
  if (health === undefined) return "does not answer yet";
  if (health.state !== "ready") return `is ${health.state}`;
  return `sees ${health.healthy_nodes} of ${health.total_nodes} nodes`;
}
