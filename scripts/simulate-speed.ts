// How much faster than real time a world runs: `npm run simulate:speed -- [--seeds N] [--seed S]`.
// Three nodes on disks, 100 operations of clients per simulated second, two minutes of chaos with the
// faults that each seed draws, then calm, checks included; one process, after a warm-up.
import { performance } from "node:perf_hooks";
import { scriptOptions } from "../benchmarks/support/script-options.ts";
import type { ScenarioPlan } from "../src/simulation/scenario/plan.ts";
import { runScenario, type ScenarioReport } from "../src/simulation/scenario/run-scenario.ts";

const NODES = 3;
const CHAOS_MS = 120_000;
/** Enough clients that what a client waits for an answer hardly slows it down. */
const CLIENTS = 40;
const RATE = 135;

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

interface Measured {
  readonly report: ScenarioReport;
  readonly wallMs: number;
  readonly cpuMs: number;
}

async function measure(seed: number): Promise<Measured> {
  const beganMs = performance.now();
  const before = process.cpuUsage();
  const report = await runScenario(seed, { strategies: ["tunable"], adjust });
  const { user, system } = process.cpuUsage(before);
  return { report, wallMs: performance.now() - beganMs, cpuMs: (user + system) / 1_000 };
}

function line(name: string, runs: readonly Measured[]): string {
  const sum = (of: (run: Measured) => number): number =>
    runs.reduce((all, run) => all + of(run), 0);
  const simulatedMs = sum(({ report }) => report.simulatedMs);
  const chaosMs = sum(({ report }) => report.chaosMs);
  const operations = sum(({ report }) => report.chaosOperations);
  const faults = sum(({ report }) => Object.values(report.faults).reduce((a, b) => a + b, 0));
  const events = sum(({ report }) => report.events);
  const wallMs = sum((run) => run.wallMs);
  const cpuMs = sum((run) => run.cpuMs);
  return (
    `${name}: ${(simulatedMs / 1_000).toFixed(0)} s simulated, ` +
    `${(operations / (chaosMs / 1_000)).toFixed(0)} operations per second of chaos, ${faults} faults, ` +
    `${events} events; ${(wallMs / 1_000).toFixed(2)} s by the wall: ` +
    `${(simulatedMs / wallMs).toFixed(0)}× real time; ${(cpuMs / 1_000).toFixed(2)} s of the ` +
    `processor, all threads: ${(simulatedMs / cpuMs).toFixed(0)}×`
  );
}

const { seed: first, seeds } = scriptOptions({
  name: "npm run simulate:speed",
  options: {
    seeds: { type: "whole", default: 10 },
    seed: { type: "whole", default: 1 },
  },
});
const runs: Measured[] = [];
await measure(first);
for (let seed = first; seed < first + seeds; seed += 1) {
  const run = await measure(seed);
  runs.push(run);
  console.log(line(`seed ${seed}`, [run]));
}
console.log(line(`all ${runs.length} seeds`, runs));
