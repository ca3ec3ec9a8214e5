import type { HybridTime } from "../../../core/model/stamp.ts";
import { headerOf, isTombstone, makeKeyedRecord, stampOf, timeOf } from "../record.ts";
import type { SettlingRules } from "./settling-rules.ts";

const NO_KEY = new Uint8Array(0);
/** Stands for any version above the window. */
const LATER = new Uint8Array(0);
const FLAGS_AT = 1;
const FLAG_TOMBSTONE = 1;

/** Of records of one stamped version. */
export const stampedSettling: SettlingRules = Object.freeze({
  hasContexts: false,
  timeOf,
  admitted(held, incoming, floor) {
    // Where something is held, the greater stamp tells what is stale.
    return held !== undefined || timeOf(incoming) > floor ? incoming : undefined;
  },
  stripped: (record, upTo) => (timeOf(record) > upTo ? record : undefined),
  absentAt: floorRecordOf,
  /** The tombstone of the same stamp: of equal stamps the greater bytes win, and these are. */
  buried(record) {
    const tombstone = Uint8Array.from(headerOf(record));
    tombstone[FLAGS_AT] = (tombstone[FLAGS_AT] as number) | FLAG_TOMBSTONE;
    return tombstone;
  },
  addWithin(sum, key, record, after, upTo) {
    const time = timeOf(record);
    if (time <= after) return;
    // What a later version has replaced is over for whoever holds that one, whichever it is.
    sum.addEntry(key, time <= upTo ? record : LATER);
  },
} satisfies SettlingRules);

/** A tombstone that no write has made: its stamp has no actor. */
export function floorRecordOf(time: HybridTime): Uint8Array {
  return makeKeyedRecord(NO_KEY, { time, actorHigh: 0, actorLow: 0 }, undefined).record;
}

/** Whether the record is what a replica with a floor says of a key that it does not hold. */
export function isFloorRecord(record: Uint8Array): boolean {
  if (!isTombstone(record)) return false;
  const { actorHigh, actorLow } = stampOf(record);
  return actorHigh === 0 && actorLow === 0;
}
