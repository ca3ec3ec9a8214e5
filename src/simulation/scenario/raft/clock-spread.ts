import type { MachineClock } from "../../machine-clock.ts";

/** How far apart wall clocks ever were, of all those of a world and over all of its time. */
export class ClockSpread {
  readonly #clocks: readonly MachineClock[];
  #leastMs = Number.POSITIVE_INFINITY;
  #mostMs = Number.NEGATIVE_INFINITY;

  constructor(clocks: readonly MachineClock[]) {
    this.#clocks = clocks;
  }

  /** Between two looks no clock may jump there and back again; how they drift is seen by the next. */
  look(): void {
    for (const { aheadMs } of this.#clocks) {
      this.#leastMs = Math.min(this.#leastMs, aheadMs);
      this.#mostMs = Math.max(this.#mostMs, aheadMs);
    }
  }

  /** That any clock was ahead of the world's. */
  get mostAheadMs(): number {
    return this.#mostMs;
  }

  get spreadMs(): number {
    return Math.max(0, this.#mostMs - this.#leastMs);
  }
}
