import type { Environment, TimerHandle } from "../contracts/environment.ts";
import { graceMs } from "../model/held-loop.ts";

/**
 * The deadline of one call that no request table keeps. It is as lenient as that: what lies ready when
 * it is due is read first, and where the event loop was held the call has a moment more.
 */
export class CallTimer {
  readonly #environment: Environment;
  readonly #expired: () => void;
  #timer: TimerHandle | undefined;
  #isSpared = false;
  #isOver = false;

  constructor(environment: Environment, timeoutMs: number, expired: () => void) {
    this.#environment = environment;
    this.#expired = expired;
    this.#arm(timeoutMs);
  }

  stop(): void {
    this.#isOver = true;
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    const dueMs = this.#environment.monotonicMs() + delayMs;
    this.#timer = this.#environment.setTimer(delayMs, () => {
      // Timers run before input is read.
      this.#environment.soon(() => this.#fire(dueMs));
    });
  }

  #fire(dueMs: number): void {
    if (this.#isOver) return;
    const spareMs = this.#isSpared ? 0 : graceMs(this.#environment.monotonicMs() - dueMs);
    if (spareMs === 0) {
      this.stop();
      this.#expired();
      return;
    }
    this.#isSpared = true;
    this.#arm(spareMs);
  }
}
