import type { Environment, RandomSource } from "../../../core/contracts/environment.ts";

/** By how much of the interval a write may be early: the first after a rest, and those that follow. */
const FIRST_EARLY = 2 / 3;
const LATER_EARLY = 0.1;

/**
 * How long what was committed waits to be written. Nodes under one load begin at the same moment; if
 * each waited for the whole interval, all would write at once, and nobody would be left to answer
 * meanwhile. So they wait for less, by chance: never for more than the interval, which bounds what a
 * start after a crash reads back.
 */
export class WritePace {
  readonly #environment: Environment;
  readonly #intervalMs: number;
  readonly #random: RandomSource;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(environment: Environment, intervalMs: number) {
    this.#environment = environment;
    this.#intervalMs = intervalMs;
    this.#random = environment.random("state-writes");
  }

  /** From now on, in milliseconds. */
  delayMs(): number {
    const restedMs = this.#environment.monotonicMs() - this.#writtenMs;
    const early = restedMs >= this.#intervalMs ? FIRST_EARLY : LATER_EARLY;
    return this.#intervalMs * (1 - early * this.#random.fraction());
  }

  /** A write has ended. */
  onWritten(): void {
    this.#writtenMs = this.#environment.monotonicMs();
  }
}
