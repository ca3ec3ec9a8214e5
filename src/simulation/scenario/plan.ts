import type { Durability } from "../../core/model/durability.ts";
import type { SegmentedLogOptions } from "../../storage/disk/log/log-options.ts";
import type { ConnectionMode, NetworkConditions } from "../network-conditions.ts";
import { SeededRandom } from "../seeded-random.ts";
import { Draw } from "./draw.ts";

/** Kinds of faults that come, last for a while and go. */
export const FAULT_KINDS = Object.freeze([
  "partition",
  "one-way",
  "isolation",
  "bridge",
  "flapping",
  "clog",
  "disconnect",
  "kill",
  "power-cut",
  "power-cut-of-all",
  "pause",
  "stall",
  "wipe",
  "old-copy",
  "clock-step",
  "clock-rate",
  "slow-disk",
  "hung-disk",
  "full-disk",
  "failed-sync",
  "flipped-bit",
] as const);

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Everything that one seed has drawn. */
export interface ScenarioPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly replicas: number;
  readonly shards: number;
  readonly storage: "disk" | "memory";
  readonly durability: Durability;
  readonly partitionPolicy: "prefer-consistency" | "prefer-availability";
  readonly connections: ConnectionMode;
  readonly maxHeldBytes: number;
  readonly log: SegmentedLogOptions;
  readonly diskLatencyMs: number;
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  /** Deadlines of all levels, as a multiple of the defaults. */
  readonly patience: number;
  readonly clients: number;
  readonly keysPerGroup: number;
  /** Of a client, between two operations; exponential. */
  readonly meanThinkMs: number;
  /** Clients call at the same moments, so that operations meet. */
  readonly inBursts: boolean;
  readonly writeShare: number;
  readonly network: NetworkConditions;
  /** Milliseconds between two faults; exponential. */
  readonly meanFaultPauseMs: number;
  readonly faults: readonly FaultKind[];
  /** Milliseconds that each wall clock is ahead at the beginning. */
  readonly aheadMs: readonly number[];
}

/** Clocks are ahead or behind by at most this: any two of them stay within the default `maxSkew`. */
export const MAX_AHEAD_MS = 2_500;

export const KEYSPACE = "things";

/** Operations per second that all clients together aim for. */
const MIN_RATE = 12;
const MAX_RATE = 60;

/** Draws knobs and a mix of faults: each kind is on with even odds. */
export function drawPlan(seed: number): ScenarioPlan {
  const knobs = new Draw(new SeededRandom(seed, "plan/knobs"));
  const nodes = knobs.chance(0.4) ? 3 : knobs.whole(1, 7);
  const replicas = knobs.whole(Math.min(nodes, 3), Math.min(nodes, 5));
  const storage = knobs.chance(0.85) ? "disk" : "memory";
  const clients = knobs.whole(2, 12);
  return {
    seed,
    nodes,
    replicas,
    shards: knobs.whole(1, 6),
    storage,
    durability: storage === "memory" ? "memory" : drawDurability(knobs),
    partitionPolicy: knobs.chance(0.8) ? "prefer-consistency" : "prefer-availability",
    connections: knobs.chance(0.5) ? "pairs" : "server",
    maxHeldBytes: Math.round(knobs.magnitude(2_048, 4 * 1024 * 1024)),
    log: drawLog(knobs),
    diskLatencyMs: knobs.magnitude(0.05, 3),
    ...drawDetector(knobs),
    patience: knobs.magnitude(0.5, 5),
    clients,
    keysPerGroup: knobs.whole(1, 4),
    meanThinkMs: (clients * 1_000) / knobs.between(MIN_RATE, MAX_RATE),
    writeShare: knobs.between(0.3, 0.8),
    inBursts: knobs.chance(0.5),
    ...drawFaults(seed),
    aheadMs: drawClocks(seed, nodes),
  };
}

function drawDetector(knobs: Draw): Pick<ScenarioPlan, "heartbeatMs" | "suspectMs"> {
  const heartbeatMs = Math.round(knobs.magnitude(50, 500));
  return { heartbeatMs, suspectMs: Math.round(heartbeatMs * knobs.magnitude(2.5, 20)) };
}

function drawDurability(knobs: Draw): Durability {
  if (knobs.chance(0.75)) return "fsync";
  return knobs.chance(0.5) ? "os" : "memory";
}

function drawLog(knobs: Draw): SegmentedLogOptions {
  return {
    segmentBytes: 4_096 * 2 ** knobs.whole(1, 6),
    maxBatchBytes: 4_096 * 2 ** knobs.whole(0, 4),
    lazySyncMs: Math.round(knobs.magnitude(5, 500)),
    spareSegments: knobs.whole(1, 8),
  };
}

function drawFaults(seed: number): Pick<ScenarioPlan, "network" | "meanFaultPauseMs" | "faults"> {
  const draw = new Draw(new SeededRandom(seed, "plan/faults"));
  const on = (): boolean => draw.chance(0.5);
  const network: NetworkConditions = {
    loss: on() ? draw.magnitude(0.001, 0.15) : 0,
    doubling: on() ? draw.magnitude(0.001, 0.3) : 0,
    minDelayMs: draw.magnitude(0.05, 2),
    meanDelayMs: draw.magnitude(0.1, 8),
    tailShare: on() ? draw.magnitude(0.001, 0.1) : 0,
    tailMeanMs: draw.magnitude(20, 3_000),
    reorders: on(),
  };
  const faults = FAULT_KINDS.filter(on);
  return {
    network,
    faults: faults.length === 0 ? ["kill"] : faults,
    meanFaultPauseMs: draw.between(800, 2_400),
  };
}

function drawClocks(seed: number, nodes: number): readonly number[] {
  const draw = new Draw(new SeededRandom(seed, "plan/clocks"));
  const isOn = draw.chance(0.5);
  return Array.from({ length: nodes }, () =>
    isOn ? Math.round(draw.between(-MAX_AHEAD_MS, MAX_AHEAD_MS)) : 0,
  );
}

const DEFAULT_DEADLINES_MS = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  strong: 400,
});

/**
 * The configuration of the cluster, but for what the world itself provides.
 *
 * @param strategy a name, or an object; default `tunable`.
 */
export function configurationOf(
  plan: ScenarioPlan,
  strategy: unknown = "tunable",
): Readonly<Record<string, unknown>> {
  const deadlines = Object.fromEntries(
    Object.entries(DEFAULT_DEADLINES_MS).map(([level, ms]) => [
      level,
      Math.max(1, Math.round(ms * plan.patience)),
    ]),
  );
  return {
    keyspaces: {
      [KEYSPACE]: {
        strategy,
        replicas: plan.replicas,
        shards: plan.shards,
        partitionPolicy: plan.partitionPolicy,
        deadlines,
        ...(plan.storage === "disk" && { durability: plan.durability }),
      },
    },
    detector: { heartbeatInterval: plan.heartbeatMs, suspectAfter: plan.suspectMs },
  };
}
