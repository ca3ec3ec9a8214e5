import type { Environment } from "../contracts/environment.ts";
import { HybridClock } from "../model/hybrid-clock.ts";
import { type LogPosition, NO_POSITION } from "../model/ids.ts";
import { HYBRID_COUNTER_SPAN, type HybridTime } from "../model/stamp.ts";
import type { NodeRecords } from "./node-records.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "./planted-bugs.ts";

/** How far ahead of what was minted the mark reaches, so that it is written seldom. */
const RESERVE_MS = 2_000;
const CLOCK_HIGH = "clock-high";

/**
 * The node's hybrid clock, and the mark that keeps it rising over restarts.
 *
 * Invariant, where the storage persists: what a step says leaves the node only when every time
 * that the clock has minted ≤ a durable mark; the next start begins above the greatest mark. The
 * mark is moved on when half of its reserve is used, so that under a steady load nobody waits.
 *
 * Two kinds of stamps lie outside, and need no mark, because each start is another actor and no
 * two stamps can be equal: those that follow a stamp beyond the clock guard, which they carry as
 * proof; and ids of operations, which are not writes until they come back in one.
 *
 * With memory storage there is no mark: there the node learns the greatest stamps while it
 * rebuilds.
 */
export class ClockKeeper {
  readonly clock: HybridClock;
  readonly #records: NodeRecords;
  readonly #reserve: HybridTime;
  #durable: HybridTime;
  #asked: HybridTime;
  #askedAt: LogPosition = NO_POSITION;
  /** At or below it there is nothing to do. */
  #free: HybridTime;

  constructor(
    records: NodeRecords,
    isPersistent: boolean,
    environment: Environment,
    maxSkewMs: number,
    planted: PlantedHostBugs = NO_PLANTED_HOST_BUGS,
  ) {
    const random = environment.random("actor");
    this.#records = records;
    // A start begins above the mark: it must not begin beyond what its peers accept.
    this.#reserve = Math.min(RESERVE_MS, maxSkewMs / 2) * HYBRID_COUNTER_SPAN;
    this.#durable = readTime(records.get(CLOCK_HIGH));
    this.#asked = this.#durable;
    this.#free = isPersistent ? 0 : Number.POSITIVE_INFINITY;
    this.clock = new HybridClock({
      actor: { high: random.uint32(), low: random.uint32() },
      maxSkewMs: planted.clockGuardIgnored === true ? Number.POSITIVE_INFINITY : maxSkewMs,
      floor: planted.clockBackAfterRestart === true ? 0 : this.#durable,
    });
  }

  /**
   * Called before anything of a step leaves. What is said must wait until the log is durable up to
   * the answer; `NO_POSITION`: nothing has to wait.
   */
  keep(): LogPosition {
    const minted = this.clock.lastMinted;
    return minted <= this.#free ? NO_POSITION : this.#moveOn(minted);
  }

  #moveOn(minted: HybridTime): LogPosition {
    if (minted > this.#asked - this.#reserve / 2) {
      const high = minted + this.#reserve;
      this.#asked = high;
      const done = (): void => {
        this.#durable = high;
        this.#setFree();
      };
      this.#askedAt = this.#records.put(CLOCK_HIGH, timeBytes(high), done);
    }
    this.#setFree();
    return minted <= this.#durable ? NO_POSITION : this.#askedAt;
  }

  #setFree(): void {
    this.#free = Math.min(this.#durable, this.#asked - this.#reserve / 2);
  }
}

function readTime(value: Uint8Array | undefined): HybridTime {
  return value === undefined ? 0 : Buffer.from(value).readDoubleBE(0);
}

function timeBytes(time: HybridTime): Uint8Array {
  const value = Buffer.alloc(8);
  value.writeDoubleBE(time, 0);
  return value;
}
