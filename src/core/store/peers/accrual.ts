/**
 * When one peer becomes suspicious, from how regularly it was heard so far: the accrual detector of
 * Hayashibara et al., "The φ Accrual Failure Detector" (SRDS 2004), §IV, with arrivals taken as
 * normal. Suspicion at φ ≥ 8 is the same as a silence above `mean + 5.61 σ`, the normal
 * distribution's 1 − 10⁻⁸ quantile, so that no logarithm need be taken.
 */
const PHI_8_QUANTILE = 5.612;

/** Weight of the newest interval in the running mean and variance. */
const SMOOTHING = 1 / 16;

export interface AccrualBounds {
  /** Silence below this is never suspicious. */
  readonly minSilenceMs: number;
  /** Silence above this always is. */
  readonly maxSilenceMs: number;
  /** Frames closer together than half of this count as one arrival. */
  readonly heartbeatIntervalMs: number;
}

export class Accrual {
  readonly #bounds: AccrualBounds;
  /** Start of the silence that is judged: the last frame, or a grace that was granted since. */
  #quietSinceMs: number;
  #sampledAtMs: number;
  #meanMs: number;
  #varianceMs2: number;

  constructor(bounds: AccrualBounds, nowMs: number) {
    this.#bounds = bounds;
    this.#quietSinceMs = nowMs;
    this.#sampledAtMs = nowMs;
    this.#meanMs = bounds.heartbeatIntervalMs;
    this.#varianceMs2 = (bounds.heartbeatIntervalMs / 4) ** 2;
  }

  heard(nowMs: number): void {
    this.#quietSinceMs = nowMs;
    const intervalMs = nowMs - this.#sampledAtMs;
    if (intervalMs < this.#bounds.heartbeatIntervalMs / 2) return;
    this.#sampledAtMs = nowMs;
    // An outage says nothing about how regular the peer is while it lives.
    if (intervalMs > this.#bounds.maxSilenceMs) return;
    const deviationMs = intervalMs - this.#meanMs;
    this.#meanMs += SMOOTHING * deviationMs;
    this.#varianceMs2 = (1 - SMOOTHING) * (this.#varianceMs2 + SMOOTHING * deviationMs ** 2);
  }

  /** Judge it afresh from now on: the silence so far may have been ours. */
  grace(nowMs: number): void {
    this.#quietSinceMs = nowMs;
  }

  /** When it becomes suspicious unless it is heard before. */
  deadlineMs(): number {
    const tolerableMs = this.#meanMs + PHI_8_QUANTILE * Math.sqrt(this.#varianceMs2);
    const { minSilenceMs, maxSilenceMs } = this.#bounds;
    return this.#quietSinceMs + Math.min(Math.max(tolerableMs, minSilenceMs), maxSilenceMs);
  }
}
