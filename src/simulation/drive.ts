import type { Environment } from "../core/contracts/environment.ts";
import { SystemEnvironment } from "../core/store/system-environment.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Real turns without anything to do in the virtual world, after which nothing will come any more. */
const MAX_IDLE_TURNS = 1_000;
/** Of virtual time, between two looks at what somebody waits for. */
const LOOK_MS = 20;

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

  /** As long as it waits, looked at now and then; false if it still does after `limitMs`. */
  async runWhile(isWaiting: () => boolean, limitMs: number): Promise<boolean> {
    let nextLookMs = Number.NEGATIVE_INFINITY;
    // After each event it would take most of the time of a run that waits long.
    const isDone = (): boolean => {
      const { nowMs } = this.#time;
      if (nowMs < nextLookMs) return false;
      nextLookMs = nowMs + LOOK_MS;
      return !isWaiting();
    };
    return (await this.#runUntil(isDone, this.#time.nowMs + limitMs)) || !isWaiting();
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

  #runUntil(isDone: () => boolean, endMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      new Drive(this.#time, this.#real, { isDone, endMs, resolve, reject }).begin();
    });
  }
}

interface DriveGoal {
  readonly isDone: () => boolean;
  readonly endMs: number;
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One run of events. It goes on in callbacks and not in an async function: a promise that is made
 * and awaited after each event would take a good part of the time of all that runs.
 */
class Drive {
  readonly #time: VirtualTime;
  readonly #real: Environment;
  readonly #goal: DriveGoal;
  readonly #settled = Promise.resolve();
  #idleTurns = 0;
  readonly #goOn = (): void => {
    try {
      if (this.#next()) void this.#settled.then(this.#heard);
    } catch (error) {
      this.#goal.reject(error);
    }
  };
  /** What is deferred from a microtask waits for all microtasks: for promises that have settled. */
  readonly #heard = (): void => this.#real.defer(this.#goOn);

  constructor(time: VirtualTime, real: Environment, goal: DriveGoal) {
    this.#time = time;
    this.#real = real;
    this.#goal = goal;
  }

  begin(): void {
    this.#time.settle();
    void this.#settled.then(this.#heard);
  }

  /** Whether something has happened that promises may have to hear of before all else. */
  #next(): boolean {
    const time = this.#time;
    const { isDone, endMs, resolve } = this.#goal;
    if (time.isBusy) {
      time.settle();
      return true;
    }
    if (isDone()) {
      resolve(true);
      return false;
    }
    if (time.nextMs === Number.POSITIVE_INFINITY && this.#idleTurns < MAX_IDLE_TURNS) {
      // Perhaps something real is awaited: a module that is loaded, a file that is read.
      this.#idleTurns += 1;
      this.#real.soon(this.#goOn);
      return false;
    }
    if (time.step(endMs)) return true;
    resolve(isDone());
    return false;
  }
}
