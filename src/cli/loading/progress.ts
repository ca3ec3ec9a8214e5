import { Presets, SingleBar } from "cli-progress";
import { printLine, type Surroundings } from "../surroundings.ts";

const LINES_EVERY_MS = 5_000;

/** How far a long piece of work is. Written to standard error: results go to standard output. */
export interface Progress {
  /** Called often: cheap. `done` and `total` are in any unit, `count` counts lines. */
  update(done: number, count: number): void;
  end(): void;
}

export interface ProgressOptions {
  readonly label: string;
  /** Undefined where the end is not known (standard input). */
  readonly total: number | undefined;
  readonly quiet: boolean;
}

/** A bar on a terminal, a line every few seconds elsewhere, nothing if `quiet`. */
export function showProgress(options: ProgressOptions, surroundings: Surroundings): Progress {
  if (options.quiet) return { update: () => undefined, end: () => undefined };
  return surroundings.stderr.isTTY && options.total !== undefined
    ? new BarProgress(options, options.total, surroundings)
    : new LineProgress(options, surroundings);
}

class BarProgress implements Progress {
  readonly #bar: SingleBar;
  readonly #total: number;
  readonly #rate: Rate;
  #latest: [done: number, count: number] = [0, 0];

  constructor({ label }: ProgressOptions, total: number, { stderr, environment }: Surroundings) {
    this.#rate = new Rate(() => environment.monotonicMs());
    this.#total = Math.max(total, 1);
    this.#bar = new SingleBar(
      {
        format: `${label} [{bar}] {percentage}% | {lines} lines | {rate} lines/s`,
        stream: stderr,
        hideCursor: true,
        clearOnComplete: true,
        fps: 8,
      },
      Presets.legacy,
    );
    this.#bar.start(this.#total, 0, { lines: 0, rate: 0 });
  }

  update(done: number, count: number): void {
    this.#latest = [done, count];
    this.#bar.update(Math.min(done, this.#total), {
      lines: grouped(count),
      rate: grouped(this.#rate.of(count)),
    });
  }

  end(): void {
    this.update(...this.#latest);
    this.#bar.stop();
  }
}

class LineProgress implements Progress {
  readonly #options: ProgressOptions;
  readonly #surroundings: Surroundings;
  readonly #rate: Rate;
  #nextAtMs: number;

  constructor(options: ProgressOptions, surroundings: Surroundings) {
    const { environment } = surroundings;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#rate = new Rate(() => environment.monotonicMs());
    this.#nextAtMs = environment.monotonicMs() + LINES_EVERY_MS;
  }

  update(done: number, count: number): void {
    const { environment, stderr } = this.#surroundings;
    if (environment.monotonicMs() < this.#nextAtMs) return;
    this.#nextAtMs = environment.monotonicMs() + LINES_EVERY_MS;
    const { label, total } = this.#options;
    const share = total ? `${Math.floor((100 * done) / total)} %, ` : "";
    const rate = grouped(this.#rate.of(count));
    printLine(stderr, `${label}: ${share}${grouped(count)} lines, ${rate} lines/s`);
  }

  end(): void {
    // Nothing stays open: the caller prints the totals.
  }
}

class Rate {
  readonly #nowMs: () => number;
  readonly #startMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  of(count: number): number {
    const seconds = (this.#nowMs() - this.#startMs) / 1_000;
    return seconds > 0 ? Math.round(count / seconds) : 0;
  }
}

/** `12,345`: the same in every locale. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
