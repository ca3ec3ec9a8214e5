import { graceMs } from "../core/model/held-loop.ts";
import type { AbortListener, AbortListeners } from "./abort-listeners.ts";

/**
 * Ends one call: when its time is up, or when the caller's signal says so. The client lives outside
 * of any store and has no Environment, so that this is its one timer.
 */
export class CallDeadline implements AbortListener {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout;
  #isSpared: boolean;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #listeners: AbortListeners;
  #cause: "timeout" | "aborted" | undefined;

  /** @param isStrict a pause, or a wait after which something else is tried: nothing is lost by its end. */
  constructor(
    timeoutMs: number,
    callerSignal: AbortSignal | undefined,
    listeners: AbortListeners,
    isStrict = false,
  ) {
    this.#isSpared = isStrict;
    this.#timer = this.#startTimer(timeoutMs);
    this.#callerSignal = callerSignal;
    this.#listeners = listeners;
    if (callerSignal !== undefined) listeners.add(callerSignal, this);
    if (callerSignal?.aborted === true) this.#end("aborted");
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it ended; undefined while it has not. */
  get cause(): "timeout" | "aborted" | undefined {
    return this.#cause;
  }

  onAbort(): void {
    this.#end("aborted");
  }

  /** Must be called when the call is over: the timer and the caller's signal hold on to it. */
  dispose(): void {
    clearTimeout(this.#timer);
    if (this.#callerSignal !== undefined) this.#listeners.remove(this.#callerSignal, this);
  }

  /**
   * Where the event loop was held beyond the time, the answer may lie in the socket: it is given a
   * moment to be read.
   */
  #startTimer(delayMs: number): NodeJS.Timeout {
    const dueMs = performance.now() + delayMs;
    return setTimeout(() => {
      const spareMs = this.#isSpared ? 0 : graceMs(performance.now() - dueMs);
      if (spareMs === 0) this.#end("timeout");
      else {
        this.#isSpared = true;
        this.#timer = this.#startTimer(spareMs);
      }
    }, delayMs);
  }

  #end(cause: "timeout" | "aborted"): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#controller.abort();
  }
}

/** Says how many milliseconds have passed since it was made. */
export function stopwatch(): () => number {
  const beganMs = performance.now();
  return () => performance.now() - beganMs;
}
