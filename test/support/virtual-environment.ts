import type {
  Environment,
  RandomSource,
  TimerHandle,
} from "../../src/core/contracts/environment.ts";
import { SeededRandom } from "../../src/simulation/seeded-random.ts";
import { VirtualTime, type VirtualTimer } from "../../src/simulation/virtual-time.ts";

export { VirtualTime } from "../../src/simulation/virtual-time.ts";

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
