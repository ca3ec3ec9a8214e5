import type {
  Environment,
  RandomSource,
  TimerHandle,
} from "../../src/core/contracts/environment.ts";
import { SeededRandom } from "./seeded-random.ts";

interface VirtualTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Deferred callbacks in one turn; beyond it something defers itself for ever. */
const MAX_DEFERRED_PER_TURN = 100_000;

/**
 * The world's time: one per test, shared by the environments of all its nodes, so that their
 * timers fire in one order. Nothing happens but inside `advance`, `runTurn` and `runUntil`.
 */
export class VirtualTime {
  #nowMs = 0;
  #order = 0;
  #timers: VirtualTimer[] = [];
  #deferred: (() => void)[] = [];
  #soon: (() => void)[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  setTimer(delayMs: number, callback: () => void): VirtualTimer {
    this.#order += 1;
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, callback };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as VirtualTimer).dueMs > timer.dueMs) at -= 1;
    this.#timers.splice(at, 0, timer);
    return timer;
  }

  clearTimer(timer: VirtualTimer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  /** Runs what was deferred, then one round of `soon`, then what that deferred. No time passes. */
  runTurn(): void {
    this.#runDeferred();
    const round = this.#soon;
    this.#soon = [];
    for (const callback of round) {
      callback();
      this.#runDeferred();
    }
  }

  /** Fires every timer that is due within `durationMs`, in order, each with its own turns. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    this.settle();
    for (;;) {
      const next = this.#timers[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
      this.settle();
    }
    this.#nowMs = endMs;
  }

  /** Advances in steps until `condition` holds; false if it does not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number, stepMs = 10): boolean {
    const endMs = this.#nowMs + limitMs;
    this.settle();
    while (!condition()) {
      if (this.#nowMs >= endMs) return false;
      this.advance(Math.min(stepMs, endMs - this.#nowMs));
    }
    return true;
  }

  /** Passes time while nothing runs, as in a process that is stopped: due timers fire late. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Turns until nothing is deferred. `soon` that calls itself again for ever is cut off. */
  settle(): void {
    for (let turn = 0; turn < 1000; turn += 1) {
      if (this.#deferred.length === 0 && this.#soon.length === 0) return;
      this.runTurn();
    }
    throw new Error("1,000 turns without an end: something calls soon() for ever");
  }

  #runDeferred(): void {
    for (let at = 0; at < this.#deferred.length; at += 1) {
      if (at > MAX_DEFERRED_PER_TURN) throw new Error("something calls defer() for ever");
      this.#deferred[at]?.();
    }
    this.#deferred = [];
  }
}

export interface VirtualEnvironmentOptions {
  readonly seed?: number;
  /** Shared by the nodes of one test; default: one of its own. */
  readonly time?: VirtualTime;
  /** Wall time at virtual time 0. */
  readonly wallMs?: number;
}

/**
 * An `Environment` under virtual time: deterministic in its seed. Each node of a test has its own,
 * over one `VirtualTime`.
 */
export class VirtualEnvironment implements Environment {
  readonly time: VirtualTime;
  /** What `eventLoopLagMs` answers. */
  lagMs = 0;
  /** Added to the wall clock: a test sets it to make the clock jump. */
  wallOffsetMs = 0;
  readonly #seed: number;
  readonly #wallMs: number;

  constructor(options: VirtualEnvironmentOptions = {}) {
    this.time = options.time ?? new VirtualTime();
    this.#seed = options.seed ?? 1;
    this.#wallMs = options.wallMs ?? Date.UTC(2026, 0, 1);
  }

  monotonicMs(): number {
    return this.time.nowMs;
  }

  wallMs(): number {
    return this.#wallMs + this.wallOffsetMs + this.time.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    return { timer: this.time.setTimer(delayMs, callback) };
  }

  clearTimer(handle: TimerHandle): void {
    this.time.clearTimer(handle.timer as VirtualTimer);
  }

  defer(callback: () => void): void {
    this.time.defer(callback);
  }

  soon(callback: () => void): void {
    this.time.soon(callback);
  }

  random(stream: string): RandomSource {
    return new SeededRandom(this.#seed, stream);
  }

  eventLoopLagMs(): number {
    return this.lagMs;
  }

  advance(durationMs: number): void {
    this.time.advance(durationMs);
  }

  runTurn(): void {
    this.time.runTurn();
  }
}
