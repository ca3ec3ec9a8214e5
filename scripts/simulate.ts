// The long run of seeds:
// `npm run simulate -- [--seeds N] [--seed S] [--strategies A,B] [--jobs J] [--json FILE]`.
// Each seed is a world of its own (src/simulation/scenario). One of a hundred, or of as many as
// `--repeat-every` says, runs once more in another process, and has to leave the same trace.
import { type ChildProcess, fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runScenario, type ScenarioReport } from "../src/simulation/scenario/run-scenario.ts";
import { sometimesNames } from "../src/simulation/scenario/sometimes.ts";
import { STRATEGY_SCENARIOS, strategyScenario } from "../src/simulation/scenario/strategies.ts";

/** From this many seeds on, a rare state that was never reached fails the run. */
const LONG_RUN = 1_000;
/** Worlds make much that is gone at once. */
const SHORT_LIVED_ROOM = "--max-semi-space-size=32";
const PROGRESS_MS = 5_000;

type Outcome =
  | { readonly seed: number; readonly report: ScenarioReport }
  | { readonly seed: number; readonly thrown: string };

interface Order {
  readonly seed: number;
  readonly strategies: readonly string[];
}

/** A process of its own: one seed after the other, as they are asked for. */
async function work({ seed, strategies }: Order): Promise<void> {
  const outcome = await runScenario(seed, { strategies }).then(
    (report): Outcome => ({ seed, report }),
    (error: Error): Outcome => ({ seed, thrown: error.stack ?? error.message }),
  );
  process.send?.(outcome);
}

async function lead(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string", default: "1" },
      strategies: { type: "string" },
      jobs: { type: "string", default: String(availableParallelism()) },
      json: { type: "string" },
      "repeat-every": { type: "string", default: "100" },
    },
  });
  const first = whole("seed", values.seed);
  const count = whole("seeds", values.seeds ?? "1");
  const strategies = strategiesOf(values.strategies);
  const tally = new Tally(count, strategies);
  const startMs = performance.now();
  const progress = setInterval(() => console.log(tally.progress(startMs)), PROGRESS_MS);
  const seeds = Array.from({ length: count }, (_, at) => first + at);
  const every = whole("repeat-every", values["repeat-every"]);
  const jobs = whole("jobs", values.jobs);
  await runAll(seeds, strategies, jobs, (outcome) => tally.add(outcome));
  // In processes that have run none of them before.
  const again = seeds.filter((seed) => seed % every === 0);
  await runAll(again, strategies, jobs, (outcome) => tally.compare(outcome));
  clearInterval(progress);
  console.log(tally.describe(startMs));
  if (values.json !== undefined) writeFileSync(values.json, `${tally.json()}\n`);
  if (tally.hasFailed) process.exitCode = 1;
}

/** @throws RangeError for a strategy without a scenario. */
function strategiesOf(text: string | undefined): readonly string[] {
  if (text === undefined) return STRATEGY_SCENARIOS.map(({ strategy }) => strategy);
  return text.split(",").map((name) => strategyScenario(name).strategy);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`--${name} is ${JSON.stringify(text)}; allowed is a whole number from 1`);
}

async function runAll(
  seeds: readonly number[],
  strategies: readonly string[],
  jobs: number,
  heard: (outcome: Outcome) => void,
): Promise<void> {
  const queue = [...seeds];
  const processes = Array.from({ length: Math.min(jobs, seeds.length) }, () =>
    runJob(queue, strategies, heard),
  );
  await Promise.all(processes);
}

/** Hands seeds to one process until there are none. */
function runJob(
  queue: number[],
  strategies: readonly string[],
  heard: (outcome: Outcome) => void,
): Promise<void> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), {
    execArgv: [SHORT_LIVED_ROOM, "--import", "tsx"],
  });
  return new Promise((resolve, reject) => {
    let current: number | undefined;
    const next = (): void => {
      current = queue.shift();
      if (current === undefined) child.kill();
      else child.send({ seed: current, strategies } satisfies Order);
    };
    child.on("message", (outcome: Outcome) => {
      heard(outcome);
      next();
    });
    child.on("exit", (code) => {
      if (current === undefined) resolve();
      else reject(new Error(`the process that ran seed ${current} ended with ${code}`));
    });
    next();
  });
}

class Tally {
  readonly #asked: number;
  readonly #strategies: readonly string[];
  readonly #traces = new Map<number, string>();
  readonly #failures: string[] = [];
  readonly #sometimes: Record<string, number> = {};
  readonly #faults: Record<string, number> = {};
  #done = 0;
  #repeated = 0;
  #simulatedMs = 0;
  #operations = 0;
  #checked = 0;
  #unknown = 0;
  #excused = 0;

  constructor(asked: number, strategies: readonly string[]) {
    this.#asked = asked;
    this.#strategies = strategies;
  }

  get hasFailed(): boolean {
    return this.#failures.length > 0 || this.#missing().length > 0;
  }

  add(outcome: Outcome): void {
    const { seed } = outcome;
    if ("thrown" in outcome) return this.#fail(seed, outcome.thrown);
    const { report } = outcome;
    this.#traces.set(seed, report.trace);
    this.#done += 1;
    this.#simulatedMs += report.simulatedMs;
    this.#operations += report.operations;
    this.#checked += report.checked;
    this.#unknown += report.unknownVerdicts;
    if (report.isExcused) this.#excused += 1;
    addAll(this.#sometimes, report.sometimes);
    addAll(this.#faults, report.faults);
    for (const { check, message } of report.violations.slice(0, 3)) {
      this.#fail(seed, `${check}: ${message}\n  plan: ${JSON.stringify(report.plan)}`);
    }
  }

  /** The seed has run in another process. */
  compare(outcome: Outcome): void {
    const { seed } = outcome;
    if ("thrown" in outcome) return this.#fail(seed, outcome.thrown);
    const { trace } = outcome.report;
    const before = this.#traces.get(seed);
    this.#repeated += 1;
    if (before !== trace) this.#fail(seed, `two traces: ${before} and ${trace}`);
  }

  progress(startMs: number): string {
    const seconds = (performance.now() - startMs) / 1_000;
    return (
      `${this.#done} of ${this.#asked} seeds, ${Math.round(this.#simulatedMs / 1_000)} s simulated ` +
      `in ${seconds.toFixed(0)} s (${(this.#simulatedMs / 1_000 / seconds).toFixed(0)}×), ` +
      `${sum(this.#faults)} faults, ${this.#checked} operations checked, ` +
      `${this.#failures.length} failures`
    );
  }

  describe(startMs: number): string {
    const lines = [
      this.progress(startMs),
      `operations: ${this.#operations}; verdicts unknown: ${this.#unknown}; excused seeds: ${this.#excused}`,
      `traces compared between two processes: ${this.#repeated}`,
      `faults: ${list(this.#faults)}`,
      `sometimes: ${list(this.#sometimes)}`,
    ];
    const missing = this.#missing();
    if (missing.length > 0) lines.push(`never reached: ${missing.join(", ")}`);
    lines.push(...this.#failures);
    if (!this.hasFailed) lines.push(`no violation found in ${this.#done} seeds`);
    return lines.join("\n");
  }

  json(): string {
    return JSON.stringify({
      seeds: this.#done,
      simulatedMs: this.#simulatedMs,
      operations: this.#operations,
      checked: this.#checked,
      unknown: this.#unknown,
      excused: this.#excused,
      faults: this.#faults,
      sometimes: this.#sometimes,
      failures: this.#failures,
    });
  }

  /** Said at once: a long run goes on for an hour after it. */
  #fail(seed: number, what: string): void {
    const failure = `seed ${seed} (npm run simulate -- --seed ${seed}): ${what}`;
    console.log(failure);
    this.#failures.push(failure);
  }

  #missing(): readonly string[] {
    if (this.#done < LONG_RUN) return [];
    return sometimesNames(this.#strategies).filter((name) => this.#sometimes[name] === undefined);
  }
}

function addAll(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(from)) to[name] = (to[name] ?? 0) + count;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

if (process.send === undefined) await lead();
else process.on("message", (order: Order) => void work(order));
