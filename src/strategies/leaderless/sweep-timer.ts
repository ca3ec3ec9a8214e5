import type { Effects } from "../../core/contracts/machine.ts";

/** The coordinator's timer whose event is for `sweep` of all that it has under way. */
export const SWEEP_TIMER = "sweep";

/** Sweeps lie so far apart at least: one looks at everything that is under way. */
const LEAST_PAUSE_MS = 10;

/** What has something under way that time alone brings on: further questions, or giving up. */
export interface Swept {
  /** By the local clock: before it no sweep finds anything to do. `Infinity`: there is nothing. */
  readonly sweepAtMs: number;
}

/**
 * When the coordinator looks at what is overdue: as soon as something may be, and not at all while
 * nothing can. What has ended meanwhile costs one look in vain, so that to end costs nothing.
 */
export class SweepTimer {
  readonly #swept: readonly Swept[];
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(swept: readonly Swept[]) {
    this.#swept = swept;
  }

  /** After each step: something may have begun. */
  arm(nowMs: number, effects: Pick<Effects<never>, "setTimer">): void {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { sweepAtMs } of this.#swept) if (sweepAtMs < dueMs) dueMs = sweepAtMs;
    if (dueMs >= this.#armedForMs) return;
    const atMs = Math.max(dueMs, nowMs + LEAST_PAUSE_MS);
    if (atMs >= this.#armedForMs) return;
    this.#armedForMs = atMs;
    effects.setTimer(SWEEP_TIMER, atMs - nowMs);
  }

  /** The timer has fired. */
  fired(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }
}
