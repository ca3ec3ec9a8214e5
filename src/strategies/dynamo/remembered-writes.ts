import type { HybridTime, Stamp } from "../../core/model/stamp.ts";
import { RisingTimes } from "./rising-times.ts";

/** At least so many are remembered, and at most twice as many. */
const MAX_REMEMBERED = 65_536;
/** Starts of coordinators of which nothing is remembered but how far that was forgotten. */
const MAX_HORIZONS = 4_096;

/** Operations that one start of a coordinator has named, by their times. */
interface Named {
  readonly actorHigh: number;
  readonly actorLow: number;
  recent: RisingTimes;
  older: RisingTimes;
  /** What is newer was not minted: of nearly every write that is all that has to be looked at. */
  newest: HybridTime;
  /** What is not newer may have been forgotten. */
  horizon: HybridTime;
}

/**
 * Which operations this replica has minted, since it was made: a second copy of a message, and a
 * client's retry, must not be a second event.
 *
 * Bounded: when as many have come since the last time, the generation before them is forgotten. A
 * coordinator names its operations with rising stamps, so that what is forgotten is told from what
 * never came by the newest forgotten stamp of each. Nothing but numbers is kept: what a write leaves
 * behind for longer than it takes is what the collector pays for.
 */
export class RememberedWrites {
  /** Of whom something was forgotten longest ago, and of whom nothing was, come first. */
  readonly #named = new Map<string, Named>();
  readonly #limit: number;
  readonly #maxHorizons: number;
  #recent = 0;
  #older = 0;
  /** Who was asked for last: the next one is nearly always the same. */
  #last: Named | undefined;

  constructor(limit = MAX_REMEMBERED, maxHorizons = MAX_HORIZONS) {
    this.#limit = limit;
    this.#maxHorizons = maxHorizons;
  }

  get size(): number {
    return this.#recent + this.#older;
  }

  has(operation: Stamp): boolean {
    const named = this.#namedBy(operation);
    if (named === undefined || operation.time > named.newest) return false;
    return named.recent.has(operation.time) || named.older.has(operation.time);
  }

  /** It may have been minted here, and been forgotten since. */
  isBeyondMemory(operation: Stamp): boolean {
    return operation.time <= (this.#namedBy(operation)?.horizon ?? 0);
  }

  /** Only what is not remembered yet. */
  remember(operation: Stamp): void {
    const { time, actorHigh, actorLow } = operation;
    let named = this.#namedBy(operation);
    if (named === undefined) {
      const nothing = {
        recent: new RisingTimes(),
        older: new RisingTimes(),
        newest: 0,
        horizon: 0,
      };
      named = { actorHigh, actorLow, ...nothing };
      this.#named.set(nameOf(operation), named);
      this.#last = named;
    }
    named.recent.add(time);
    if (time > named.newest) named.newest = time;
    if (++this.#recent >= this.#limit) this.#forgetOlder();
  }

  #namedBy(operation: Stamp): Named | undefined {
    const last = this.#last;
    if (last?.actorLow === operation.actorLow && last.actorHigh === operation.actorHigh)
      return last;
    const named = this.#named.get(nameOf(operation));
    if (named !== undefined) this.#last = named;
    return named;
  }

  #forgetOlder(): void {
    for (const [name, named] of [...this.#named]) {
      if (named.older.newest > named.horizon) named.horizon = named.older.newest;
      if (named.older.size > 0) {
        this.#named.delete(name);
        this.#named.set(name, named);
      }
      named.older = named.recent;
      named.recent = new RisingTimes();
    }
    this.#older = this.#recent;
    this.#recent = 0;
    this.#dropHorizons();
  }

  #dropHorizons(): void {
    const idle = [...this.#named].filter(([, { older }]) => older.size === 0);
    const surplus = Math.max(0, idle.length - this.#maxHorizons);
    for (const [name] of idle.slice(0, surplus)) this.#named.delete(name);
    if (surplus > 0) this.#last = undefined;
  }
}

function nameOf({ actorHigh, actorLow }: Stamp): string {
  return `${actorHigh}.${actorLow}`;
}
