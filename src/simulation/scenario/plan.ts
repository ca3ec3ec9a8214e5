import type { Durability } from "../../core/model/durability.ts";
import type { SegmentedLogOptions } from "../../storage/disk/log/log-options.ts";
import type { ConnectionMode, NetworkConditions } from "../network-conditions.ts";
import { SeededRandom } from "../seeded-random.ts";
import { Draw } from "./draw.ts";
import { drawLateReads } from "./late-reads.ts";
import { drawSlowLinks } from "./slow-links.ts";
import { STRATEGY_SCENARIOS, strategyScenario } from "./strategies.ts";
import type { KeyspaceKnobs, KeyspacePlan, MachinesPlan } from "./strategy-scenario.ts";

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
  "moving-majority",
] as const);

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Everything that one seed has drawn. */
export interface ScenarioPlan {
  readonly seed: number;
  readonly nodes: number;
  /** Of each node, by its place; undefined: all are in one. */
  readonly datacenters: readonly string[] | undefined;
  readonly storage: "disk" | "memory";
  readonly keyspaces: readonly KeyspacePlan[];
  readonly connections: ConnectionMode;
  readonly maxHeldBytes: number;
  readonly log: SegmentedLogOptions;
  readonly diskLatencyMs: number;
  /** How long commits of the state wait in memory on average: the log has to make up for them. */
  readonly stateLagMs: number;
  /** What a state holds for the disk before clients are refused. */
  readonly maxPendingBytes: number;
  /** What a node takes from its clients at a time. */
  readonly operationsInFlight: number;
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly clients: number;
  /** Of a client, between two operations; exponential. */
  readonly meanThinkMs: number;
  /** Clients call at the same moments, so that operations meet. */
  readonly inBursts: boolean;
  /** How long faults come at least, in milliseconds. */
  readonly chaosMs: number;
  readonly network: NetworkConditions;
  /** Milliseconds between two faults; exponential. */
  readonly meanFaultPauseMs: number;
  readonly faults: readonly FaultKind[];
  /** Of these each comes at least once, if it can. */
  readonly demandedFaults: readonly FaultKind[];
  /** Of the old copies, this share is put in place though a peer may take it for the newest. */
  readonly boldCopies: number;
  /** Milliseconds that each wall clock is ahead at the beginning. */
  readonly aheadMs: readonly number[];
  /** Of the reads of a log, this share is answered late. */
  readonly lateReads: number;
  /** Links are slow at times. */
  readonly slowLinks: boolean;
}

/** Clocks are ahead or behind by at most this: any two of them stay within the default `maxSkew`. */
export const MAX_AHEAD_MS = 2_500;
/** Of the shortest election timeout, for the mean of late messages. */
const LATE_SHARE = 0.25;

/** Names of keyspaces, in the order in which they are drawn. */
const NAMES: readonly string[] = Object.freeze(["things", "others"]);
/** Of the seeds that could have a keyspace of another strategy beside the first, this share has. */
const BESIDE_SHARE = 0.3;

/** Of the keyspaces, this share meets partitions as its strategy does by default. */
const DEFAULT_POLICY_SHARE = 0.8;

/** Of the seeds with so many nodes or more, this share has them in two datacenters, or three. */
const DATACENTERS_SHARE = 0.25;
const NODES_OF_DATACENTERS = 4;
const DATACENTERS: readonly string[] = Object.freeze(["east", "west", "north"]);

/** With fewer, a loss leaves nothing, and a partition nobody. */
const NODES_OF_DEMANDED = 3;

/** What a seed is at least. */
const CHAOS_MS = 60_000;

/** What becomes of a seed once a copy counts is hardly judged: few are to be so. */
const BOLD_COPIES = 0.01;

/** More than ever waits. */
const WIDE = 1024 ** 3;

/** Operations per second that all clients together aim for. */
const MIN_RATE = 12;
const MAX_RATE = 60;

/**
 * Draws knobs and a mix of faults: each kind is on with even odds, but for those that the strategy of
 * a keyspace has to meet in every seed.
 *
 * @param strategies of which keyspaces are drawn; default: all that have a scenario.
 */
export function drawPlan(seed: number, strategies?: readonly string[]): ScenarioPlan {
  const knobs = new Draw(new SeededRandom(seed, "plan/knobs"));
  const nodes = knobs.chance(0.4) ? 3 : knobs.whole(1, 7);
  const replicas = drawReplicas(knobs, nodes);
  const storage = knobs.chance(0.85) ? "disk" : "memory";
  const clients = knobs.whole(2, 12);
  const shards = knobs.whole(1, 6);
  const durability = storage === "memory" ? "memory" : drawDurability(knobs);
  const hasDefaultPolicy = drawPolicy(knobs);
  const machines = {
    seed,
    nodes,
    storage,
    connections: knobs.chance(0.5) ? "pairs" : "server",
    maxHeldBytes: Math.round(knobs.magnitude(2_048, 4 * 1024 * 1024)),
    log: drawLog(knobs),
    diskLatencyMs: knobs.magnitude(0.05, 3),
    ...drawDetector(knobs),
    clients,
  } as const;
  const patience = drawPatience(knobs);
  const keysPerGroup = knobs.whole(1, 4);
  const meanThinkMs = (clients * 1_000) / knobs.between(MIN_RATE, MAX_RATE);
  const writeShare = knobs.between(0.3, 0.8);
  const first = { replicas, shards, durability, hasDefaultPolicy };
  const keyspaces = drawKeyspaces(seed, machines, strategies, {
    ...{ ...first, patience, keysPerGroup, writeShare },
  });
  return {
    ...machines,
    meanThinkMs,
    inBursts: knobs.chance(0.5),
    chaosMs: CHAOS_MS,
    keyspaces,
    ...drawBounds(seed),
    ...drawFaults(seed, demandedBy(keyspaces, nodes)),
    boldCopies: BOLD_COPIES,
    aheadMs: drawClocks(seed, nodes),
    lateReads: drawLateReads(seed),
    slowLinks: drawSlowLinks(seed),
    datacenters: drawDatacenters(seed, nodes),
  };
}

/** Some nodes in each. From a stream of its own, so that all else is drawn as without them. */
function drawDatacenters(seed: number, nodes: number): ScenarioPlan["datacenters"] {
  const draw = new Draw(new SeededRandom(seed, "plan/sites"));
  if (nodes < NODES_OF_DATACENTERS || !draw.chance(DATACENTERS_SHARE)) return undefined;
  const names = DATACENTERS.slice(0, nodes > NODES_OF_DATACENTERS ? draw.whole(2, 3) : 2);
  const placed = Array.from({ length: nodes }, (_, at) => names[at] ?? draw.pick(names));
  return draw.shuffled(placed);
}

/** One keyspace of a strategy that is drawn, and now and then one of another strategy beside it. */
function drawKeyspaces(
  seed: number,
  machines: MachinesPlan,
  strategies: readonly string[] | undefined,
  knobs: Omit<KeyspaceKnobs, "focus">,
): readonly KeyspacePlan[] {
  const draw = new Draw(new SeededRandom(seed, "plan/keyspaces"));
  const wanted = strategies?.map(strategyScenario) ?? STRATEGY_SCENARIOS;
  const possible = wanted.filter(
    ({ needsDisk }) => needsDisk !== true || machines.storage === "disk",
  );
  const drawn = draw.shuffled(possible).slice(0, draw.chance(BESIDE_SHARE) ? 2 : 1);
  if (drawn.length === 0) throw new Error(`seed ${seed} keeps nothing on a disk: ${strategies}`);
  return drawn.map((scenario, place): KeyspacePlan => {
    const own = place === 0 ? { ...knobs, focus: drawFocus(draw) } : drawKnobs(draw, machines);
    return {
      name: NAMES[place] as string,
      strategy: scenario.strategy,
      configuration: scenario.configure(own, machines, draw),
      keysPerGroup: own.keysPerGroup,
      writeShare: own.writeShare,
      focus: own.focus,
    };
  });
}

function drawKnobs(draw: Draw, { nodes, storage }: MachinesPlan): KeyspaceKnobs {
  return {
    replicas: drawReplicas(draw, nodes),
    shards: draw.whole(1, 6),
    durability: storage === "memory" ? "memory" : drawDurability(draw),
    hasDefaultPolicy: drawPolicy(draw),
    patience: drawPatience(draw),
    keysPerGroup: draw.whole(1, 4),
    writeShare: draw.between(0.3, 0.8),
    focus: drawFocus(draw),
  };
}

/** Half of all seeds do everything in turns; the others so much of one thing that it meets itself. */
function drawFocus(draw: Draw): number | undefined {
  return draw.chance(0.5) ? undefined : draw.between(0, 1);
}

function drawBounds(
  seed: number,
): Pick<ScenarioPlan, "stateLagMs" | "maxPendingBytes" | "operationsInFlight"> {
  const draw = new Draw(new SeededRandom(seed, "plan/state"));
  return {
    stateLagMs: draw.chance(0.25) ? 0 : draw.magnitude(1, 4_000),
    maxPendingBytes: draw.chance(0.7) ? WIDE : Math.round(draw.magnitude(1_024, 256 * 1024)),
    operationsInFlight: draw.chance(0.8) ? 4_096 : draw.whole(1, 6),
  };
}

function drawReplicas(draw: Draw, nodes: number): number {
  return draw.whole(Math.min(nodes, 3), Math.min(nodes, 5));
}

function drawPolicy(draw: Draw): boolean {
  return draw.chance(DEFAULT_POLICY_SHARE);
}

function drawPatience(draw: Draw): number {
  return draw.magnitude(0.5, 5);
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

/** What every seed with these keyspaces has to go through. */
function demandedBy(keyspaces: readonly KeyspacePlan[], nodes: number): readonly FaultKind[] {
  if (nodes < NODES_OF_DEMANDED) return [];
  return keyspaces.flatMap(({ strategy }) => strategyScenario(strategy).faults ?? []);
}

function drawFaults(
  seed: number,
  demandedFaults: readonly FaultKind[],
): Pick<ScenarioPlan, "network" | "meanFaultPauseMs" | "faults" | "demandedFaults"> {
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
    bytesPerMs: drawBandwidth(seed),
  };
  // Drawn for every kind: what else a seed draws does not hang on its keyspaces.
  const drawn = FAULT_KINDS.filter(on);
  const faults = FAULT_KINDS.filter(
    (kind) => drawn.includes(kind) || demandedFaults.includes(kind),
  );
  return {
    network,
    demandedFaults,
    faults: faults.length === 0 ? ["kill"] : faults,
    meanFaultPauseMs: draw.between(800, 2_400),
  };
}

/**
 * The network while liveness is demanded: a leader can be elected, and stay, only where messages
 * take far less time than an election timeout (extended Raft paper §5.6). In a connection a late
 * message holds up all behind it, so that even a rare tail is everybody's: where many shards elect,
 * the frames are so many that the half of them takes twice this mean, and a vote longer than a
 * candidate waits. That is left to be met, as votes count while their term lasts, and less is said
 * the more shards are led.
 */
export function calmNetworkOf({ network, keyspaces }: ScenarioPlan): NetworkConditions {
  const timeoutsMs = keyspaces.flatMap(({ configuration }) => configuration.electionTimeout ?? []);
  const longestMs = Math.min(...timeoutsMs.map(Number)) * LATE_SHARE;
  if (network.tailMeanMs <= longestMs) return network;
  return { ...network, tailMeanMs: longestMs };
}

/** From a tenth of a megabyte a second to a hundred. */
function drawBandwidth(seed: number): number {
  return new Draw(new SeededRandom(seed, "plan/bandwidth")).magnitude(100, 100_000);
}

function drawClocks(seed: number, nodes: number): readonly number[] {
  const draw = new Draw(new SeededRandom(seed, "plan/clocks"));
  const isOn = draw.chance(0.5);
  return Array.from({ length: nodes }, () =>
    isOn ? Math.round(draw.between(-MAX_AHEAD_MS, MAX_AHEAD_MS)) : 0,
  );
}

/**
 * The configuration of the cluster, but for what the world itself provides.
 *
 * @param substitutes for strategies, by name: ones with a planted bug.
 */
export function configurationOf(
  plan: ScenarioPlan,
  substitutes: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const keyspaces = plan.keyspaces.map(({ name, strategy, configuration }) => [
    name,
    { strategy: substitutes[strategy] ?? strategy, ...configuration },
  ]);
  return {
    keyspaces: Object.fromEntries(keyspaces),
    limits: { operationsInFlight: plan.operationsInFlight },
    detector: { heartbeatInterval: plan.heartbeatMs, suspectAfter: plan.suspectMs },
  };
}
