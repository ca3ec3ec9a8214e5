// The long run of seeds:
// `npm run simulate -- [--seeds N] [--seed S] [--strategies A,B] [--jobs J] [--json FILE]`.
// Each seed is a world of its own (src/simulation/scenario). One of a hundred, or of as many as
// `--repeat-every` says, runs once more in another process, and has to leave the same trace. SIGINT and
// SIGTERM end it with the report of what was done so far, and the code 130 if nothing has failed.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { scriptOptions } from "../benchmarks/support/script-options.ts";
import { runScenario } from "../src/simulation/scenario/run-scenario.ts";
import { STRATEGY_SCENARIOS } from "../src/simulation/scenario/strategies.ts";
import { compiledScript } from "./compiled-script.ts";
import { exitCodeOf, interruptible } from "./interruptible.ts";
import { type SeedOutcome, SeedTally } from "./seed-tally.ts";
import { type WorkerOptions, WorkerProcess, workOff } from "./worker-process.ts";

const PROGRESS_MS = 5_000;

interface Order {
  readonly seed: number;
  readonly strategies: readonly string[];
}

/** A process of its own: one seed after the other, as they are asked for. */
async function work({ seed, strategies }: Order): Promise<void> {
  const outcome = await runScenario(seed, { strategies }).then(
    (report): SeedOutcome => ({ seed, report }),
    (error: Error): SeedOutcome => ({ seed, thrown: error.stack ?? error.message }),
  );
  process.send?.(outcome);
}

async function lead(): Promise<void> {
  const values = scriptOptions({
    name: "npm run simulate",
    options: {
      seeds: { type: "whole", default: 1 },
      seed: { type: "whole", default: 1 },
      strategies: { type: "names", allowed: STRATEGY_SCENARIOS.map(({ strategy }) => strategy) },
      jobs: { type: "whole", default: availableParallelism() },
      json: { type: "file" },
      "repeat-every": { type: "whole", default: 100 },
    },
  });
  const { seed: first, seeds: count, strategies, jobs } = values;
  const interruption = interruptible();
  const tally = new SeedTally(count, strategies, console.log);
  const startMs = performance.now();
  const progress = setInterval(
    () => console.log(tally.progress(performance.now() - startMs)),
    PROGRESS_MS,
  );
  const seeds = Array.from({ length: count }, (_, at) => first + at);
  // Of many, a seed that fails is run again by itself, where errors say where they came from.
  const source = fileURLToPath(import.meta.url);
  const isAlone = count === 1;
  const script = isAlone ? source : compiledScript(source);
  const worker = { script, hasTraces: isAlone, interruption };
  const every = values["repeat-every"];
  await runAll(seeds, strategies, jobs, worker, (outcome) => tally.add(outcome));
  // In processes that have run none of them before.
  const again = seeds.filter((seed) => seed % every === 0);
  await runAll(again, strategies, jobs, worker, (outcome) => tally.compare(outcome));
  clearInterval(progress);
  if (interruption.requested) console.log(`interrupted (${interruption.cause}); so far:`);
  console.log(tally.describe(performance.now() - startMs));
  if (values.json !== undefined) writeFileSync(values.json, `${tally.json()}\n`);
  process.exitCode = exitCodeOf(tally.hasFailed, interruption);
}

async function runAll(
  seeds: readonly number[],
  strategies: readonly string[],
  jobs: number,
  options: WorkerOptions,
  heard: (outcome: SeedOutcome) => void,
): Promise<void> {
  const queue = seeds.map((seed): Order => ({ seed, strategies }));
  const processes = Array.from({ length: Math.min(jobs, seeds.length) }, async () => {
    const worker = new WorkerProcess<Order, SeedOutcome>(options);
    try {
      await workOff(worker, queue, heard);
    } finally {
      await worker.end();
    }
  });
  await Promise.all(processes);
}

if (process.send === undefined) await lead();
else process.on("message", (order: Order) => void work(order));
