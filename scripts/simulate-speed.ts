// How much faster than real time worlds run: `npm run simulate:speed -- [--seeds N] [--seed S] [--jobs J]`.
// Three nodes on disks, 100 requests of clients per simulated second, two minutes of chaos with the
// faults that each seed draws, then calm, checks included. First in one process, a seed after the other:
// what one thread does. Then the same seeds in as many processes as there are processors: what the
// machine does. Each process has run a seed before that is not counted.
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { scriptOptions } from "../benchmarks/support/script-options.ts";
import type { Interruption } from "../src/cli/interruption.ts";
import type { ScenarioPlan } from "../src/simulation/scenario/plan.ts";
import { runScenario } from "../src/simulation/scenario/run-scenario.ts";
import { compiledScript } from "./compiled-script.ts";
import { exitCodeOf, interruptible } from "./interruptible.ts";
import { WorkerProcess, workOff } from "./worker-process.ts";

const NODES = 3;
const CHAOS_MS = 120_000;
/** Enough clients that what a client waits for an answer hardly slows it down. */
const CLIENTS = 40;
/**
 * Operations per second that are aimed for. Of a quarter of them each is followed by one to three reads
 * through other nodes, and some are tried again: with waits and pauses 100 requests and more a second.
 */
const RATE = 84;

function adjust(plan: ScenarioPlan): ScenarioPlan {
  return {
    ...plan,
    nodes: NODES,
    aheadMs: plan.aheadMs.slice(0, NODES),
    storage: "disk",
    clients: CLIENTS,
    meanThinkMs: (CLIENTS * 1_000) / RATE,
    chaosMs: CHAOS_MS,
    keyspaces: plan.keyspaces.map((keyspace) => ({
      ...keyspace,
      configuration: { ...keyspace.configuration, replicas: NODES, durability: "fsync" },
    })),
  };
}

interface Order {
  readonly seed: number;
}

/** Of one seed; times in milliseconds. */
interface Measured {
  readonly seed: number;
  readonly simulatedMs: number;
  readonly chaosMs: number;
  readonly operations: number;
  readonly answers: number;
  readonly faults: number;
  readonly events: number;
  readonly violations: number;
  readonly wallMs: number;
  /** Of all threads of the process. */
  readonly cpuMs: number;
}

async function measure({ seed }: Order): Promise<Measured> {
  const beganMs = performance.now();
  const before = process.cpuUsage();
  const report = await runScenario(seed, { strategies: ["tunable"], adjust });
  const { user, system } = process.cpuUsage(before);
  const { simulatedMs, chaosMs, chaosOperations, chaosAnswers, events, violations } = report;
  return {
    ...{ seed, simulatedMs, chaosMs, events },
    operations: chaosOperations,
    answers: chaosAnswers,
    faults: Object.values(report.faults).reduce((sum, count) => sum + count, 0),
    violations: violations.length,
    wallMs: performance.now() - beganMs,
    cpuMs: (user + system) / 1_000,
  };
}

function sumOf(runs: readonly Measured[], name: keyof Measured): number {
  return runs.reduce((sum, run) => sum + run[name], 0);
}

function line(name: string, runs: readonly Measured[]): string {
  const [simulatedMs, chaosMs, wallMs, cpuMs] = (
    ["simulatedMs", "chaosMs", "wallMs", "cpuMs"] as const
  ).map((each) => sumOf(runs, each)) as [number, number, number, number];
  const perSecond = (count: "operations" | "answers"): string =>
    ((1_000 * sumOf(runs, count)) / chaosMs).toFixed(0);
  return (
    `${name}: ${(simulatedMs / 1_000).toFixed(0)} s simulated, ` +
    `${perSecond("answers")} requests in ${perSecond("operations")} operations per second of chaos, ` +
    `${sumOf(runs, "faults")} faults, ${sumOf(runs, "events")} events; ` +
    `${(wallMs / 1_000).toFixed(2)} s by the wall: ${times(simulatedMs / wallMs)}; ` +
    `${(cpuMs / 1_000).toFixed(2)} s of the processor, all threads: ${times(simulatedMs / cpuMs)}`
  );
}

function times(ratio: number): string {
  return `${ratio.toFixed(0)}× real time`;
}

/** Whether no violation was found. */
async function alone(worker: WorkerProcess<Order, Measured>, orders: Order[]): Promise<boolean> {
  const count = orders.length;
  const runs: Measured[] = [];
  await workOff(worker, orders, (run) => {
    runs.push(run);
    console.log(line(`seed ${run.seed}`, [run]));
  });
  if (runs.length > 0) console.log(line(`one process, ${runs.length} of ${count} seeds`, runs));
  const violations = sumOf(runs, "violations");
  if (violations > 0) console.log(`${violations} violations: what is fast here is wrong`);
  return violations === 0;
}

async function sideBySide(
  workers: readonly WorkerProcess<Order, Measured>[],
  orders: Order[],
  interruption: Interruption,
): Promise<void> {
  const count = orders.length;
  const beganMs = performance.now();
  const runs: Measured[] = [];
  await Promise.all(workers.map((worker) => workOff(worker, orders, (run) => void runs.push(run))));
  // Of some that ran side by side and some that did not end, nothing can be said.
  if (interruption.requested) return;
  const wallMs = performance.now() - beganMs;
  const simulatedMs = sumOf(runs, "simulatedMs");
  console.log(
    `${workers.length} processes side by side, all ${count} seeds: ` +
      `${(wallMs / 1_000).toFixed(2)} s by the wall: ${times(simulatedMs / wallMs)}; ` +
      `${(sumOf(runs, "cpuMs") / 1_000).toFixed(2)} s of all processors`,
  );
}

async function lead(): Promise<void> {
  const {
    seed: first,
    seeds,
    jobs,
  } = scriptOptions({
    name: "npm run simulate:speed",
    options: {
      seeds: { type: "whole", default: 10 },
      seed: { type: "whole", default: 1 },
      jobs: { type: "whole", default: availableParallelism() },
    },
  });
  const orders = Array.from({ length: seeds }, (_, at): Order => ({ seed: first + at }));
  const interruption = interruptible();
  const script = compiledScript(fileURLToPath(import.meta.url));
  const workers = Array.from(
    { length: Math.min(jobs, seeds) },
    () => new WorkerProcess<Order, Measured>({ script, hasTraces: false, interruption }),
  );
  await Promise.all(workers.map((worker) => worker.ask({ seed: first })));
  const isSound = await alone(workers[0] as WorkerProcess<Order, Measured>, [...orders]);
  const isSideBySide = workers.length > 1 && !interruption.requested;
  if (isSideBySide) await sideBySide(workers, [...orders], interruption);
  await Promise.all(workers.map((worker) => worker.end()));
  if (interruption.requested) console.log(`interrupted (${interruption.cause})`);
  process.exitCode = exitCodeOf(!isSound, interruption);
}

if (process.send === undefined) await lead();
else
  process.on("message", (order: Order) => void measure(order).then((run) => process.send?.(run)));
