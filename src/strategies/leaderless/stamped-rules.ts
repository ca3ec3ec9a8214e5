import type { MachineChange } from "../../core/contracts/machine-change.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import {
  checkRecord,
  compareRecordStamps,
  compareRecords,
  expiredAtOf,
  expireRecord,
  expiryOf,
  hasExpired,
  headerOf,
  isExpiredFrom,
  isTombstone,
  liveValueOf,
  stampOf,
} from "./record.ts";
import type { RecordRules, Relation } from "./record-rules.ts";
import { stampedSettling } from "./settling/stamped-settling.ts";

/**
 * Last writer wins: a record is one stamped version, and the greater of two stays. Equal stamps
 * with different bytes stand `apart`, since neither write knew of the other; the greater bytes win.
 * What a version comes to at its expiry has its stamp too, and follows it.
 */
export const stampedRules: RecordRules = Object.freeze({
  check: checkRecord,
  relation,
  merge: (held, incoming) => (compareRecords(held, incoming) >= 0 ? held : incoming),
  stampOf,
  summaryOf: headerOf,
  isTombstone,
  expiryOf,
  expire: expireRecord,
  expiredAtOf,
  settling: stampedSettling,
  changeOf,
} satisfies RecordRules);

/** The same, or with a planted bug: what came first stays. */
export function stampedRulesWith(planted: PlantedReplicaBugs): RecordRules {
  if (planted.tiesBrokenDifferently !== true) return stampedRules;
  return Object.freeze({
    ...stampedRules,
    relation: (held, incoming) => {
      const isTie = stampOf(held).time === stampOf(incoming).time;
      const isAnother = compareRecordStamps(held, incoming) !== 0;
      return isTie && isAnother ? "included" : relation(held, incoming);
    },
  } satisfies RecordRules);
}

function changeOf(key: Uint8Array, record: Uint8Array): MachineChange {
  const value = liveValueOf(record);
  const version = versionTokenOf(stampOf(record));
  if (hasExpired(record)) return { type: "expire", key, version };
  return value === undefined
    ? { type: "delete", key, version }
    : { type: "put", key, value, version };
}

function relation(held: Uint8Array, incoming: Uint8Array): Relation {
  const byStamp = compareRecordStamps(held, incoming);
  if (byStamp !== 0) return byStamp > 0 ? "included" : "succeeded";
  if (Buffer.compare(held, incoming) === 0) return "equal";
  if (isExpiredFrom(held, incoming)) return "included";
  return isExpiredFrom(incoming, held) ? "succeeded" : "apart";
}
