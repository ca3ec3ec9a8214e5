import { SystemEnvironment } from "../core/store/system-environment.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Real turns without anything to do in the virtual world, after which nothing will come any more. */
const MAX_IDLE_TURNS = 1_000;

/** Runs a world's events, and lets the promises that they settle go on in between. */
export class Driver {
  readonly #time: VirtualTime;
  readonly #real = new SystemEnvironment();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Runs what happens within `durationMs`. */
  async run(durationMs: number): Promise<void> {
    await this.#runUntil(() => false, this.#time.nowMs + durationMs);
  }

  /** Until `condition` holds, looked at after each event; false if it does not within `limitMs`. */
  runWhile(isWaiting: () => boolean, limitMs: number): Promise<boolean> {
    return this.#runUntil(() => !isWaiting(), this.#time.nowMs + limitMs);
  }

  /**
   * Runs events until the promise settles, and answers like it.
   *
   * @throws Error if it has not settled after `limitMs` of virtual time.
   */
  async until<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    if (await this.#runUntil(() => isSettled, this.#time.nowMs + limitMs)) return promise;
    throw new Error(`a promise did not settle within ${limitMs} ms of virtual time`);
  }

  async #runUntil(isDone: () => boolean, endMs: number): Promise<boolean> {
    let idleTurns = 0;
    for (;;) {
      this.#time.settle();
      await this.#microtasks();
      if (this.#time.isBusy) continue;
      if (isDone()) return true;
      if (this.#time.nextMs === Number.POSITIVE_INFINITY && idleTurns < MAX_IDLE_TURNS) {
        // Perhaps something real is awaited: a module that is loaded, a file that is read.
        idleTurns += 1;
        await new Promise<void>((resolve) => this.#real.soon(resolve));
        continue;
      }
      if (!this.#time.step(endMs)) return isDone();
    }
  }

  /** Until all promises that have settled have been heard: `defer` waits for the microtasks. */
  #microtasks(): Promise<void> {
    return new Promise<void>((resolve) => this.#real.defer(resolve));
  }
}
