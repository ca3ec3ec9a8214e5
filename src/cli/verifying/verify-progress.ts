import { Presets, SingleBar } from "cli-progress";
import type { TallyTotals } from "../../simulation/verify/tally.ts";
import { grouped } from "../loading/progress.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

const LINES_EVERY_MS = 5_000;

/** How far the histories are, on standard error: a bar on a terminal, a line now and then elsewhere. */
export class VerifyProgress {
  readonly #total: number;
  readonly #surroundings: Surroundings;
  readonly #bar: SingleBar | undefined;
  readonly #isQuiet: boolean;
  #nextAtMs: number;

  constructor(total: number, isQuiet: boolean, surroundings: Surroundings) {
    this.#total = total;
    this.#surroundings = surroundings;
    this.#isQuiet = isQuiet;
    const { stderr, environment } = surroundings;
    this.#nextAtMs = environment.monotonicMs() + LINES_EVERY_MS;
    if (isQuiet || stderr.isTTY !== true) return;
    this.#bar = new SingleBar(
      {
        format: "verifying [{bar}] {text}",
        stream: stderr,
        hideCursor: true,
        clearOnComplete: true,
        fps: 8,
      },
      Presets.legacy,
    );
    this.#bar.start(total, 0, { text: "" });
  }

  update(totals: TallyTotals): void {
    const { environment, stderr } = this.#surroundings;
    const text = describeTotals(totals, this.#total);
    if (this.#bar !== undefined) {
      this.#bar.update(totals.histories, { text });
      return;
    }
    if (this.#isQuiet || environment.monotonicMs() < this.#nextAtMs) return;
    this.#nextAtMs = environment.monotonicMs() + LINES_EVERY_MS;
    printLine(stderr, `verifying: ${text}`);
  }

  end(): void {
    this.#bar?.stop();
  }
}

/**
 * `12 of 50 histories, 730 s simulated, 401 faults, 15,230 operations checked, …`.
 *
 * @param total histories that there are to be, where that says more.
 * @param lawless resolvers that break their laws.
 */
export function describeTotals(totals: TallyTotals, total?: number, lawless = 0): string {
  const { histories, simulatedMs, faults, checked, violated } = totals;
  const of = total === undefined || total === histories ? "" : ` of ${grouped(total)}`;
  const noun = (total ?? histories) === 1 ? "history" : "histories";
  const found = [
    ...(violated === 0 ? [] : [`${violated} ${violated === 1 ? "promise" : "promises"} violated`]),
    ...(lawless === 0
      ? []
      : [lawless === 1 ? "1 resolver breaks its laws" : `${lawless} resolvers break their laws`]),
  ];
  return (
    `${grouped(histories)}${of} ${noun}, ${grouped(Math.round(simulatedMs / 1_000))} s simulated, ` +
    `${grouped(faults)} faults, ${grouped(checked)} operations checked, ` +
    (found.length === 0 ? "no violation found" : found.join(", "))
  );
}
