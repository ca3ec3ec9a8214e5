import type { ScenarioReport } from "../src/simulation/scenario/run-scenario.ts";
import { sometimesNames } from "../src/simulation/scenario/sometimes.ts";

/** From this many seeds on, a rare state that was never reached fails the run. */
const LONG_RUN = 1_000;
/** From this many seeds on, too many of them without a judgement fail the run. */
const JUDGED_RUN = 100;
/** Of the seeds at most this share may have a check without a verdict, and be excused. */
const MAX_SHARE = 0.01;

export type SeedOutcome =
  | { readonly seed: number; readonly report: ScenarioReport }
  | { readonly seed: number; readonly thrown: string };

/** What a run of many seeds has found so far. */
export class SeedTally {
  readonly #asked: number;
  readonly #strategies: readonly string[];
  readonly #say: (failure: string) => void;
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
  #undecided = 0;
  #excused = 0;

  constructor(asked: number, strategies: readonly string[], say: (failure: string) => void) {
    this.#say = say;
    this.#asked = asked;
    this.#strategies = strategies;
  }

  get hasFailed(): boolean {
    return [...this.#failures, ...this.#missing(), ...this.#unjudged()].length > 0;
  }

  add(outcome: SeedOutcome): void {
    const { seed } = outcome;
    if ("thrown" in outcome) return this.#fail(seed, outcome.thrown);
    const { report } = outcome;
    this.#traces.set(seed, report.trace);
    this.#done += 1;
    this.#simulatedMs += report.simulatedMs;
    this.#operations += report.operations;
    this.#checked += report.checked;
    this.#unknown += report.unknownVerdicts;
    if (report.unknownVerdicts > 0) this.#undecided += 1;
    if (report.isExcused) this.#excused += 1;
    addAll(this.#sometimes, report.sometimes);
    addAll(this.#faults, report.faults);
    for (const { check, message } of report.violations.slice(0, 3)) {
      this.#fail(seed, `${check}: ${message}\n  plan: ${JSON.stringify(report.plan)}`);
    }
  }

  /** The seed has run in another process. */
  compare(outcome: SeedOutcome): void {
    const { seed } = outcome;
    if ("thrown" in outcome) return this.#fail(seed, outcome.thrown);
    const { trace } = outcome.report;
    const before = this.#traces.get(seed);
    this.#repeated += 1;
    if (before !== trace) this.#fail(seed, `two traces: ${before} and ${trace}`);
  }

  /** @param tookMs of real time so far. */
  progress(tookMs: number): string {
    const seconds = tookMs / 1_000;
    return (
      `${this.#done} of ${this.#asked} seeds, ${Math.round(this.#simulatedMs / 1_000)} s simulated ` +
      `in ${seconds.toFixed(0)} s (${(this.#simulatedMs / 1_000 / seconds).toFixed(0)}×), ` +
      `${sum(this.#faults)} faults, ${this.#checked} operations checked, ` +
      `${this.#failures.length} failures`
    );
  }

  /** @param tookMs of real time. */
  describe(tookMs: number): string {
    const lines = [
      this.progress(tookMs),
      `operations: ${this.#operations}; verdicts unknown: ${this.#unknown}; excused seeds: ${this.#excused}`,
      `traces compared between two processes: ${this.#repeated}`,
      `faults: ${list(this.#faults)}`,
      `sometimes: ${list(this.#sometimes)}`,
    ];
    const missing = this.#missing();
    if (missing.length > 0) lines.push(`never reached: ${missing.join(", ")}`);
    lines.push(...this.#unjudged(), ...this.#failures);
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
    this.#say(failure);
    this.#failures.push(failure);
  }

  /** What is not judged is not found to be right: it has to be rare. */
  #unjudged(): readonly string[] {
    if (this.#done < JUDGED_RUN) return [];
    const shares: readonly (readonly [string, number])[] = [
      ["left a check without a verdict", this.#undecided],
      ["were excused, as an old copy has counted", this.#excused],
    ];
    return shares
      .filter(([, seeds]) => seeds > this.#done * MAX_SHARE)
      .map(
        ([what, seeds]) =>
          `${seeds} of ${this.#done} seeds ${what}; at most ${MAX_SHARE * 100} % may`,
      );
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
