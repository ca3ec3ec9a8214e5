import type { Moment } from "./consensus-types.ts";

/**
 * The clock of the log (`Books.clockMs`) as a leader reads it: its wall clock, but never behind where
 * the log's clock would be if it had gone on since it was last moved.
 *
 * Without that a leader whose wall clock is an hour ahead, or steps back by an hour, would hold the
 * log's clock up for so long: what was put meanwhile to live for seconds would be there for an hour.
 */
export class LogClock {
  /** Where it was last moved to, and when. */
  #movedToMs = 0;
  #movedAtMs = 0;
  #notedMs = 0;

  /** Milliseconds since 1970, not whole ones; at least 0. */
  read({ nowMs, wallMs }: Moment): number {
    return Math.max(wallMs, this.#wouldBe(nowMs));
  }

  /** At the end of each step: the log's clock as the applied entries have it. */
  note(clockMs: number, { nowMs }: Moment): void {
    if (clockMs === this.#notedMs) return;
    this.#notedMs = clockMs;
    if (clockMs <= this.#wouldBe(nowMs)) return;
    this.#movedToMs = clockMs;
    this.#movedAtMs = nowMs;
  }

  #wouldBe(nowMs: number): number {
    if (this.#movedToMs === 0) return 0;
    return this.#movedToMs + Math.max(0, nowMs - this.#movedAtMs);
  }
}
