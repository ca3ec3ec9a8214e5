import {
  type Actor,
  compareStamps,
  HYBRID_COUNTER_SPAN,
  type HybridTime,
  hybridTimeOf,
  MAX_HYBRID_TIME,
  type Stamp,
} from "./stamp.ts";

/** What the clock did with a stamp that it was shown. */
export type ObserveOutcome = "observed" | "beyond-guard";

/** How far above its proof a stamp may lie: one millisecond's counter, more than is needed. */
const PROOF_SPAN = HYBRID_COUNTER_SPAN;

export interface HybridClockOptions {
  readonly actor: Actor;
  /** A stamp this far ahead of the wall clock is not followed. */
  readonly maxSkewMs: number;
  /** Every minted time is greater than this: the persisted high mark of an earlier start. */
  readonly floor?: HybridTime;
}

/**
 * A hybrid logical clock (Kulkarni et al. 2014, algorithm in §3.3), one per node. Pure: the wall
 * time is handed in.
 *
 * Invariants:
 * - every `mint` > every earlier `mint`, > `floor`, > every observed time (those within the guard);
 * - no two stamps of one clock are equal, those beyond the guard included;
 * - time of the clock − wall ≤ maxSkewMs, unless the wall clock itself stepped back.
 */
export class HybridClock {
  readonly #actor: Actor;
  readonly #guardSpan: number;
  #last: HybridTime;
  #lastMinted: HybridTime = 0;
  #beyondGuardMints = 0;

  constructor(options: HybridClockOptions) {
    this.#actor = options.actor;
    this.#guardSpan = options.maxSkewMs * HYBRID_COUNTER_SPAN;
    this.#last = options.floor ?? 0;
  }

  get last(): HybridTime {
    return this.#last;
  }

  /** Of the stamps that this clock has made, but for those beyond the guard; 0 if there is none. */
  get lastMinted(): HybridTime {
    return this.#lastMinted;
  }

  get actor(): Actor {
    return this.#actor;
  }

  /** A stamp greater than all that this clock has minted or observed. */
  mint(wallMs: number): Stamp {
    const wall = hybridTimeOf(wallMs);
    this.#last = wall > this.#last ? wall : this.#last + 1;
    this.#lastMinted = this.#last;
    return { time: this.#last, actorHigh: this.#actor.high, actorLow: this.#actor.low };
  }

  /**
   * A stamp greater than `seen`. Where `seen` lies beyond the guard, the new stamp follows it
   * closely and the clock itself is not moved: `seen` is the proof that the stamp has to carry.
   * Such a time may have been used before, for another write that saw the same or an older stamp,
   * so that each of these stamps has an actor of its own, derived from the clock's.
   */
  mintAbove(seen: Stamp, wallMs: number): { stamp: Stamp; proof: Stamp | undefined } {
    if (this.observe(seen, wallMs) === "observed") {
      return { stamp: this.mint(wallMs), proof: undefined };
    }
    this.#beyondGuardMints++;
    const stamp: Stamp = {
      // At the end of time nothing can be greater: the write is superseded, and nothing breaks.
      time: Math.min(seen.time + 1, MAX_HYBRID_TIME),
      actorHigh: this.#actor.high,
      actorLow: (this.#actor.low + this.#beyondGuardMints) >>> 0,
    };
    return { stamp, proof: seen };
  }

  /** Moves the clock up to `seen`, unless `seen` is beyond the guard. */
  observe({ time }: Stamp, wallMs: number): ObserveOutcome {
    return this.observeTime(time, wallMs);
  }

  /** `observe`, of which only the time is known. */
  observeTime(time: HybridTime, wallMs: number): ObserveOutcome {
    if (time <= this.#last) return "observed";
    if (this.isTimeBeyondGuard(time, wallMs)) return "beyond-guard";
    this.#last = time;
    return "observed";
  }

  isBeyondGuard({ time }: Stamp, wallMs: number): boolean {
    return this.isTimeBeyondGuard(time, wallMs);
  }

  isTimeBeyondGuard(time: HybridTime, wallMs: number): boolean {
    return time > hybridTimeOf(wallMs) + this.#guardSpan;
  }

  /**
   * Whether a first-hand write with this stamp may be stored: within the guard, or proven by a
   * stamp that it follows closely, or by itself: a retry of a write that a replica holds.
   */
  accepts(stamp: Stamp, proof: Stamp | undefined, wallMs: number): boolean {
    if (!this.isBeyondGuard(stamp, wallMs)) return true;
    return (
      proof !== undefined &&
      compareStamps(proof, stamp) <= 0 &&
      stamp.time - proof.time <= PROOF_SPAN
    );
  }
}
