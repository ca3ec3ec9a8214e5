import type { VirtualTime } from "./virtual-time.ts";

/** 1 January 2026: wall time at the beginning of the world, on a clock that is right. */
const WALL_START_MS = Date.UTC(2026, 0, 1);

/** The clocks of one machine. They go on while its process is down. */
export class MachineClock {
  readonly #time: VirtualTime;
  #rate = 1;
  #sinceMs = 0;
  #localMs = 0;
  #offsetMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Local milliseconds per millisecond of the world. */
  get rate(): number {
    return this.#rate;
  }

  /** How far the wall clock is ahead of the world's. */
  get aheadMs(): number {
    return this.wallMs() - WALL_START_MS - this.#time.nowMs;
  }

  monotonicMs(): number {
    return this.#localMs + (this.#time.nowMs - this.#sinceMs) * this.#rate;
  }

  wallMs(): number {
    return WALL_START_MS + this.#offsetMs + this.monotonicMs();
  }

  /** The wall clock jumps by this, either way. */
  step(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** The wall clock jumps to be this far ahead of the world's. */
  setAhead(aheadMs: number): void {
    this.step(aheadMs - this.aheadMs);
  }

  /** From now on both clocks run this much faster than the world, 1 being right; above 0. */
  setRate(rate: number): void {
    this.#localMs = this.monotonicMs();
    this.#sinceMs = this.#time.nowMs;
    this.#rate = rate;
  }
}
