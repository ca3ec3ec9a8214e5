import type { HybridTime } from "../../../core/model/stamp.ts";
import type { Summary } from "../anti-entropy/fingerprint.ts";

/**
 * What a strategy says of its records where a shard has a *floor*: a time up to which every event
 * that there is, or ever will be, is known to all replicas. What a replica with a floor does not
 * hold from below it is no news: it was replaced or deleted, and perhaps reaped.
 */
export interface SettlingRules {
  /** Time of the newest event in the record. */
  timeOf(record: Uint8Array): HybridTime;
  /**
   * What of a record that comes in may be merged with what is held: the record itself where that is
   * all of it, undefined where nothing is held and nothing of it is news.
   */
  admitted(
    held: Uint8Array | undefined,
    incoming: Uint8Array,
    floor: HybridTime,
  ): Uint8Array | undefined;
  /**
   * What is left of the record where nobody knows what has become of its events up to that time:
   * nothing alive of them, and no word that says that they are over. Undefined: nothing at all.
   */
  stripped(record: Uint8Array, upTo: HybridTime): Uint8Array | undefined;
  /**
   * What holding nothing says at a replica with that floor: of all events up to it none is alive. So
   * a reader tells what was deleted and reaped from what this replica has never heard of.
   */
  absentAt(floor: HybridTime): Uint8Array;
  /** The record with nothing alive in it: whoever merges it lets go of what the record had. */
  buried(record: Uint8Array): Uint8Array;
  /**
   * Adds what the record says of events in `after < time ≤ upTo`. Two replicas whose sums over a
   * span of keys are equal know the same of those events there, and hold the same versions of them
   * alive: a record that a later event has left says that it knows them, though not which, so that
   * it does not equal one that has never heard of them.
   */
  addWithin(
    sum: Summary,
    key: Uint8Array,
    record: Uint8Array,
    after: HybridTime,
    upTo: HybridTime,
  ): void;
  /** Whether a floor is of use without deletions too: contexts name whoever wrote above it. */
  readonly hasContexts: boolean;
}
