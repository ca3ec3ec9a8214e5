import type { Environment } from "../contracts/environment.ts";
import { HybridClock } from "../model/hybrid-clock.ts";
import { type LogPosition, NO_POSITION } from "../model/ids.ts";
import { HYBRID_COUNTER_SPAN, type HybridTime, hybridTimeOf } from "../model/stamp.ts";
import type { NodeRecords } from "./node-records.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "./planted-bugs.ts";

/** How far ahead of the wall clock the mark reaches, so that it is written seldom. */
const RESERVE_MS = 2_000;
/** The part of it that is enough for a start's first stamps, where the clock is ahead of the wall. */
const FIRST_PART = 1 / 128;
const CLOCK_HIGH = "clock-high";

/**
 * The node's hybrid clock, and the mark that keeps it rising over restarts.
 *
 * Invariant, where the storage persists: what a step says leaves the node only when every time
 * that the clock has minted ≤ a durable mark; the next start begins above the greatest mark. The
 * mark is moved on when half of its reserve is used, so that under a steady load nobody waits.
 *
 * A start that follows a crash begins ahead of the wall clock by what was left of the reserve. Starts
 * that end soon must not add theirs up, until peers refuse such stamps: closing in order writes down
 * what was minted; and a clock that is ahead reserves a little above its stamps, twice as much each
 * time, since it needs no more until the wall has come up to it.
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
  readonly #environment: Environment;
  readonly #reserve: HybridTime;
  /** What is reserved next where the clock is ahead of the wall. */
  #ahead: HybridTime;
  /** The mark is moved on when less than this is left. */
  #slack: HybridTime;
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
    this.#environment = environment;
    // A start begins above the mark: it must not begin beyond what its peers accept.
    this.#reserve = Math.min(RESERVE_MS, maxSkewMs / 2) * HYBRID_COUNTER_SPAN;
    this.#ahead = this.#reserve * FIRST_PART;
    this.#slack = this.#reserve / 2;
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

  /**
   * Called when nothing is minted any more: the next start may begin right above what was, once the
   * log is durable up to here. The mark that a crash before that leaves behind covers as much.
   */
  close(): void {
    const minted = this.clock.lastMinted;
    if (minted === 0 || minted >= this.#asked) return;
    this.#asked = minted;
    this.#durable = Math.min(this.#durable, minted);
    this.#setFree();
    this.#records.put(CLOCK_HIGH, timeBytes(minted));
  }

  #moveOn(minted: HybridTime): LogPosition {
    if (minted > this.#asked - this.#slack) {
      const high = this.#nextMark(minted);
      this.#asked = high;
      this.#slack = (high - minted) / 2;
      const done = (): void => {
        // What closing has written since is lower, and stands behind it.
        this.#durable = Math.min(high, this.#asked);
        this.#setFree();
      };
      this.#askedAt = this.#records.put(CLOCK_HIGH, timeBytes(high), done);
    }
    this.#setFree();
    return minted <= this.#durable ? NO_POSITION : this.#askedAt;
  }

  #nextMark(minted: HybridTime): HybridTime {
    const wall = hybridTimeOf(this.#environment.wallMs());
    const high = Math.max(minted + this.#ahead, Math.min(minted, wall) + this.#reserve);
    this.#ahead = Math.min(2 * this.#ahead, this.#reserve);
    return high;
  }

  #setFree(): void {
    this.#free = Math.min(this.#durable, this.#asked - this.#slack);
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
