/**
 * The only way to time, timers and chance. One object per node; the simulator has its own.
 *
 * Obligations
 * - Order: timers that are due fire in the order of their due times, ties in the order of setting.
 * - Concurrency: callbacks run one at a time, never inside the call that set them.
 * - Errors: nothing here throws; a callback's throw is the callback owner's fault and is fatal.
 */
export interface Environment {
  /** Milliseconds with a fraction, never falling, from an arbitrary start. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may jump either way. */
  wallMs(): number;
  /**
   * Fires once, at or after `delayMs`, but for less than a millisecond that a system's timers may
   * be early; delays above 2^31 − 1 are kept whole.
   */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  clearTimer(handle: TimerHandle): void;
  /**
   * Runs `callback` when the one that runs now has returned, before the next timer, input or
   * `soon`. Called from a microtask, it also waits for the microtasks that are there.
   */
  defer(callback: () => void): void;
  /** Runs `callback` after input that is already waiting has been read: the next turn. */
  soon(callback: () => void): void;
  /** An independent stream per purpose, so that one more draw here changes nothing there. */
  random(stream: string): RandomSource;
  /** How late the event loop lately ran its timers, at the worst, in milliseconds. */
  eventLoopLagMs(): number;
}

export interface TimerHandle {
  readonly timer: unknown;
}

export interface RandomSource {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, 1). */
  fraction(): number;
  bytes(length: number): Uint8Array;
}
