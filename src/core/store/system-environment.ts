import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Environment, RandomSource, TimerHandle } from "../contracts/environment.ts";

/** Node runs a longer `setTimeout` at once (nodejs/node#6956). */
const LONGEST_NATIVE_DELAY_MS = 2_147_483_647;

const LAG_SAMPLE_MS = 50;
const LAG_WINDOW_MS = 1_000;
const RANDOM_POOL_BYTES = 4_096;

/** The real clock, timers and randomness. The only file of the library that touches them. */
export class SystemEnvironment implements Environment {
  #lag: LagMeter | undefined;

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const handle: { timer: unknown } = { timer: undefined };
    // Node cuts fractions off, and would fire early by almost a millisecond.
    this.#arm(handle, Math.max(0, Math.ceil(delayMs)), callback);
    return handle;
  }

  clearTimer(handle: TimerHandle): void {
    clearTimeout(handle.timer as NodeJS.Timeout | undefined);
  }

  /** `nextTick` from within a microtask runs once the microtask queue is empty. */
  defer(callback: () => void): void {
    process.nextTick(callback);
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  /** Every stream is as independent as the operating system's generator makes it. */
  random(_stream: string): RandomSource {
    return new SystemRandom();
  }

  eventLoopLagMs(): number {
    this.#lag ??= new LagMeter();
    return this.#lag.worstMs();
  }

  #arm(handle: { timer: unknown }, delayMs: number, callback: () => void): void {
    if (delayMs <= LONGEST_NATIVE_DELAY_MS) {
      handle.timer = setTimeout(callback, delayMs);
      return;
    }
    handle.timer = setTimeout(
      () => this.#arm(handle, delayMs - LONGEST_NATIVE_DELAY_MS, callback),
      LONGEST_NATIVE_DELAY_MS,
    );
  }
}

/** Measures how late a short interval fires; never keeps the process alive. */
class LagMeter {
  #expectedMs = performance.now() + LAG_SAMPLE_MS;
  #windowStartMs = performance.now();
  #worstNow = 0;
  #worstBefore = 0;

  constructor() {
    setInterval(() => this.#sample(), LAG_SAMPLE_MS).unref();
  }

  worstMs(): number {
    const overdue = performance.now() - this.#expectedMs;
    return Math.max(this.#worstNow, this.#worstBefore, overdue, 0);
  }

  #sample(): void {
    const nowMs = performance.now();
    this.#worstNow = Math.max(this.#worstNow, nowMs - this.#expectedMs);
    this.#expectedMs = nowMs + LAG_SAMPLE_MS;
    if (nowMs - this.#windowStartMs < LAG_WINDOW_MS) return;
    this.#windowStartMs = nowMs;
    this.#worstBefore = this.#worstNow;
    this.#worstNow = 0;
  }
}

class SystemRandom implements RandomSource {
  #pool = Buffer.alloc(0);
  #offset = 0;

  uint32(): number {
    if (this.#offset + 4 > this.#pool.length) {
      this.#pool = randomBytes(RANDOM_POOL_BYTES);
      this.#offset = 0;
    }
    const value = this.#pool.readUInt32BE(this.#offset);
    this.#offset += 4;
    return value;
  }

  fraction(): number {
    return this.uint32() / 4_294_967_296;
  }

  bytes(length: number): Uint8Array {
    return new Uint8Array(randomBytes(length));
  }
}
