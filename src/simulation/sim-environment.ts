import type { Environment, RandomSource, TimerHandle } from "../core/contracts/environment.ts";
import type { MachineClock } from "./machine-clock.ts";
import { SeededRandom } from "./seeded-random.ts";
import { newTimer } from "./timer-heap.ts";
import { TRACE, type Trace } from "./trace.ts";
import type { CallbackOwner, TimerOwner, VirtualTime, VirtualTimer } from "./virtual-time.ts";

/** For how long the event loop is said to have lagged after it has stood still. */
const LAG_WINDOW_MS = 1_000;

/** Timers of nodes are as fine as this. */
const TICKS_PER_MS = 1_024;

/** What came while the process stood still. */
interface HeldUp {
  readonly run: () => void;
  readonly isTimer: boolean;
}

export interface SimEnvironmentOptions {
  readonly time: VirtualTime;
  readonly clock: MachineClock;
  readonly trace: Trace;
  /** Another one for each node and each of its starts. */
  readonly seed: number;
  /** Names the node in the trace. */
  readonly number: number;
}

/**
 * The environment of one start of one node: what the process of that start has set in motion can be
 * held up, and stopped for good. Whatever comes to the process from outside comes by `input`.
 */
export class SimEnvironment implements Environment, TimerOwner, CallbackOwner {
  readonly time: VirtualTime;
  readonly clock: MachineClock;
  readonly #trace: Trace;
  readonly #seed: number;
  readonly #number: number;
  #state: "running" | "paused" | "dead" = "running";
  #pausedAtMs = 0;
  #lagMs = 0;
  #lagUntilMs = Number.NEGATIVE_INFINITY;
  #heldUp: HeldUp[] = [];
  #liveTimers = 0;

  constructor(options: SimEnvironmentOptions) {
    this.time = options.time;
    this.clock = options.clock;
    this.#trace = options.trace;
    this.#seed = options.seed;
    this.#number = options.number;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /** Timers that neither fired nor were cleared. */
  get liveTimers(): number {
    return this.#liveTimers;
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  wallMs(): number {
    return this.clock.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    if (this.#state === "dead") return newTimer(Number.POSITIVE_INFINITY, 0, callback);
    this.#trace.note(TRACE.timerSet, this.time.nowMs, this.#number, delayMs * 1_000);
    this.#liveTimers += 1;
    // The timers of one machine run by its clock, which need not be the world's. Rounded up, so that
    // what is left of a delay is never too little to be added to the time.
    const worldMs = Math.ceil((delayMs / this.clock.rate) * TICKS_PER_MS) / TICKS_PER_MS;
    return this.time.setTimer(worldMs, callback, this);
  }

  clearTimer(handle: TimerHandle): void {
    const timer = handle as VirtualTimer;
    timer.isCleared = true;
    if (timer.isOver || this.#state === "dead") return;
    this.#trace.note(TRACE.timerCleared, this.time.nowMs, this.#number);
    this.#liveTimers -= 1;
    this.time.clearTimer(timer);
  }

  defer(callback: () => void): void {
    this.#trace.note(TRACE.defer, this.time.nowMs, this.#number);
    this.time.defer(callback, this);
  }

  soon(callback: () => void): void {
    this.#trace.note(TRACE.soon, this.time.nowMs, this.#number);
    this.time.soon(callback, this);
  }

  random(stream: string): RandomSource {
    return new SeededRandom(this.#seed, stream);
  }

  eventLoopLagMs(): number {
    return this.time.nowMs < this.#lagUntilMs ? this.#lagMs : 0;
  }

  /** Runs now; once the process goes on, if it is paused; never, if it is dead. */
  input(callback: () => void): void {
    if (this.#state === "running") callback();
    else if (this.#state === "paused") this.#heldUp.push({ run: callback, isTimer: false });
  }

  /** The process is gone: nothing of it ever runs again. */
  die(): void {
    this.#state = "dead";
    this.#heldUp = [];
    this.#liveTimers = 0;
  }

  /** The process stands still: a stop signal, a long collection of garbage, a sleeping laptop. */
  pause(): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    this.#pausedAtMs = this.time.nowMs;
  }

  /**
   * What was due meanwhile runs now, late: in its order; or, with `inputs-first`, timers after all
   * that came from outside, as where the process stood still between its sockets and its timers.
   */
  resume(order: "as-due" | "inputs-first" = "as-due"): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#lagMs = this.time.nowMs - this.#pausedAtMs;
    this.#lagUntilMs = this.time.nowMs + LAG_WINDOW_MS;
    const heldUp = this.#heldUp;
    this.#heldUp = [];
    if (order === "inputs-first") heldUp.sort((a, b) => Number(a.isTimer) - Number(b.isTimer));
    for (const { run } of heldUp) this.time.defer(run, this);
  }

  /** Called by the time: the timer is due. */
  fire(timer: VirtualTimer): void {
    const { callback } = timer;
    if (this.#state === "dead") return;
    this.#liveTimers -= 1;
    this.#trace.note(TRACE.timerFired, this.time.nowMs, this.#number);
    if (this.#state === "running") {
      callback();
      return;
    }
    const run = (): void => {
      // What ran before it, after the pause, may have cleared it.
      if (!timer.isCleared) callback();
    };
    this.#heldUp.push({ run, isTimer: true });
  }
}
