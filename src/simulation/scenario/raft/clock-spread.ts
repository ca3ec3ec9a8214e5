import type { MachineClock } from "../../machine-clock.ts";

/** By how much of its time a clock may run ahead while it is too fast: see the fault `clock-rate`. */
const FASTEST = 0.01;
/** Times are read off a clock of the nodes in whole milliseconds, at both ends. */
const ROUNDING_MS = 2;

/**
 * Before which nothing expires that was put with a time to live, by a call of then. A leader whose
 * clock is behind gives an expiry, and one whose clock is ahead finds it due; meanwhile the log's
 * clock may have gone on by a clock that is too fast.
 *
 * @param spreadMs how far any two clocks were apart.
 */
export function earliestExpiryMs(calledAtMs: number, ttlMs: number, spreadMs: number): number {
  return calledAtMs + ttlMs * (1 - FASTEST) - spreadMs - ROUNDING_MS;
}

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
