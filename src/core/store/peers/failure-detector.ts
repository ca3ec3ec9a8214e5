import type { Environment, TimerHandle } from "../../contracts/environment.ts";
import { Accrual, type AccrualBounds } from "./accrual.ts";

/** Suspicion needs at least this many heartbeats to be missing. */
const MIN_HEARTBEATS_MISSED = 4;

/** A node that itself stood still for this share of `suspectAfterMs` judges nobody. */
const DISTRUST_SHARE = 0.25;

export interface DetectorSettings {
  readonly heartbeatIntervalMs: number;
  readonly suspectAfterMs: number;
}

/** One peer as the detector knows it. */
export class Watched {
  readonly accrual: Accrual;
  readonly onSuspected: () => void;
  /** Set by the detector; cleared by whoever hears of the peer again. */
  suspected = false;

  constructor(accrual: Accrual, onSuspected: () => void) {
    this.accrual = accrual;
    this.onSuspected = onSuspected;
  }
}

/**
 * The node's one failure detector. Suspicion of a silent peer falls between
 * `min(4 heartbeats, suspectAfterMs)` and `suspectAfterMs` after it was last heard, unless this
 * node has reason to distrust itself: then everybody gets a fresh period (Dadgar et al.,
 * "Lifeguard", 2018, §IV: a slow observer is the usual reason for a false suspicion).
 */
export class FailureDetector {
  readonly #environment: Environment;
  readonly #bounds: AccrualBounds;
  readonly #distrustMs: number;
  readonly #watched = new Set<Watched>();
  #timer: TimerHandle | undefined;
  #timerDueMs = 0;
  #lastWallMs = 0;
  #lastMonotonicMs = 0;

  constructor(environment: Environment, settings: DetectorSettings) {
    this.#environment = environment;
    const { heartbeatIntervalMs, suspectAfterMs } = settings;
    this.#bounds = {
      heartbeatIntervalMs,
      minSilenceMs: Math.min(MIN_HEARTBEATS_MISSED * heartbeatIntervalMs, suspectAfterMs),
      maxSilenceMs: suspectAfterMs,
    };
    this.#distrustMs = suspectAfterMs * DISTRUST_SHARE;
    this.#rememberClocks();
  }

  /** Counts as heard now. */
  watch(onSuspected: () => void): Watched {
    const accrual = new Accrual(this.#bounds, this.#environment.monotonicMs());
    const watched = new Watched(accrual, onSuspected);
    this.#watched.add(watched);
    return watched;
  }

  unwatch(watched: Watched): void {
    this.#watched.delete(watched);
  }

  /**
   * Judges everybody; called with every heartbeat. `latenessMs`: how much later than it was due.
   * Between two heartbeats a timer stands at the next moment at which somebody becomes suspicious.
   */
  check(latenessMs: number): void {
    const nowMs = this.#environment.monotonicMs();
    if (this.#distrustsItself(latenessMs)) {
      for (const watched of this.#watched) watched.accrual.grace(nowMs);
    }
    this.#rememberClocks();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const watched of this.#watched) {
      if (watched.suspected) continue;
      const deadlineMs = watched.accrual.deadlineMs();
      if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
      else {
        watched.suspected = true;
        watched.onSuspected();
      }
    }
    this.#arm(nowMs, nextMs);
  }

  close(): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
  }

  #arm(nowMs: number, nextMs: number): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
    if (nextMs > nowMs + this.#bounds.heartbeatIntervalMs) return;
    this.#timerDueMs = nextMs;
    this.#timer = this.#environment.setTimer(nextMs - nowMs, () => {
      this.#timer = undefined;
      this.check(this.#environment.monotonicMs() - this.#timerDueMs);
    });
  }

  #distrustsItself(latenessMs: number): boolean {
    if (latenessMs > this.#distrustMs) return true;
    if (this.#environment.eventLoopLagMs() > this.#distrustMs) return true;
    // A suspended machine may stop its monotonic clock; then the wall clock alone tells.
    const wallMs = this.#environment.wallMs() - this.#lastWallMs;
    const monotonicMs = this.#environment.monotonicMs() - this.#lastMonotonicMs;
    return wallMs - monotonicMs > this.#distrustMs;
  }

  #rememberClocks(): void {
    this.#lastWallMs = this.#environment.wallMs();
    this.#lastMonotonicMs = this.#environment.monotonicMs();
  }
}
