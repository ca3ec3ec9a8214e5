import type { Environment } from "../contracts/environment.ts";
import type { Storage } from "../contracts/storage.ts";
import { HybridClock } from "../model/hybrid-clock.ts";
import { HYBRID_COUNTER_SPAN, type HybridTime } from "../model/stamp.ts";
import { loadClockHigh, saveClockHigh } from "./node-records.ts";

/** How far ahead of what was minted the record reaches, so that it is written seldom. */
const RESERVE_MS = 2_000;

/**
 * The node's hybrid clock, and the record that keeps it rising over restarts.
 *
 * Invariant, where the storage persists: every minted time ≤ the recorded high mark, which is
 * committed before a stamp leaves the node; the next start begins above the mark. With memory
 * storage there is no mark: there the node learns the greatest stamps while it rebuilds, and a
 * new actor keeps its stamps apart from those of the earlier start.
 */
export class ClockKeeper {
  readonly clock: HybridClock;
  readonly #storage: Storage;
  #high: HybridTime;

  constructor(storage: Storage, environment: Environment, maxSkewMs: number) {
    const random = environment.random("actor");
    this.#storage = storage;
    this.#high = loadClockHigh(storage.state);
    this.clock = new HybridClock({
      actor: { high: random.uint32(), low: random.uint32() },
      maxSkewMs,
      floor: this.#high,
    });
  }

  /** Called before anything of a step leaves: extends the record if the clock has reached it. */
  keep(): void {
    if (this.clock.last <= this.#high || !this.#storage.state.capabilities.persistent) return;
    this.#high = this.clock.last + RESERVE_MS * HYBRID_COUNTER_SPAN;
    saveClockHigh(this.#storage, this.#high);
  }
}
