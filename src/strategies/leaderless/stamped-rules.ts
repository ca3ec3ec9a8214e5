import {
  checkRecord,
  compareRecordStamps,
  compareRecords,
  isTombstone,
  RECORD_HEADER_BYTES,
  stampOf,
} from "./record.ts";
import type { RecordRules, Relation } from "./record-rules.ts";

/**
 * Last writer wins: a record is one stamped version, and the greater of two stays. Equal stamps
 * with different bytes stand `apart`, since neither write knew of the other; the greater bytes win.
 */
export const stampedRules: RecordRules = Object.freeze({
  check: checkRecord,
  relation,
  merge: (held, incoming) => (compareRecords(held, incoming) >= 0 ? held : incoming),
  stampOf,
  summaryOf: (record) => record.subarray(0, RECORD_HEADER_BYTES),
  isTombstone,
} satisfies RecordRules);

function relation(held: Uint8Array, incoming: Uint8Array): Relation {
  const byStamp = compareRecordStamps(held, incoming);
  if (byStamp !== 0) return byStamp > 0 ? "included" : "succeeded";
  return Buffer.compare(held, incoming) === 0 ? "equal" : "apart";
}
