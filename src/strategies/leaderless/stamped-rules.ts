import type { MachineChange } from "../../core/contracts/machine.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import {
  checkRecord,
  compareRecordStamps,
  compareRecords,
  isTombstone,
  liveValueOf,
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
  changeOf,
} satisfies RecordRules);

function changeOf(key: Uint8Array, record: Uint8Array): MachineChange {
  const value = liveValueOf(record);
  const version = versionTokenOf(stampOf(record));
  return value === undefined
    ? { type: "delete", key, version }
    : { type: "put", key, value, version };
}

function relation(held: Uint8Array, incoming: Uint8Array): Relation {
  const byStamp = compareRecordStamps(held, incoming);
  if (byStamp !== 0) return byStamp > 0 ? "included" : "succeeded";
  return Buffer.compare(held, incoming) === 0 ? "equal" : "apart";
}
