import { putU64, u64At } from "../../core/model/big-endian.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { EntryKind } from "./consensus-types.ts";

/**
 * A log record begins with a header: kind (1), term (8, big-endian). Whoever proposes leaves the
 * header's bytes free in front of the payload and the leader fills them in, so that the bytes
 * that were encoded once go to the log, to memory and to the peers as they are.
 */
export const ENTRY_HEADER_BYTES = 9;

const KINDS: readonly EntryKind[] = Object.freeze(["command", "no-op", "configuration"]);

/** Writes kind and term into the first bytes of `record`. */
export function sealEntry(record: Uint8Array, kind: EntryKind, term: number): void {
  if (record.length < ENTRY_HEADER_BYTES) {
    throw new RangeError(`a record of ${record.length} bytes has no room for its header`);
  }
  record[0] = KINDS.indexOf(kind);
  putU64(record, 1, term);
}

/** A record with this payload and nothing in its header yet. */
export function unsealedEntry(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(ENTRY_HEADER_BYTES + payload.length);
  record.set(payload, ENTRY_HEADER_BYTES);
  return record;
}

export function termOfEntry(record: Uint8Array): number {
  return u64At(record, 1);
}

export function kindOfEntry(record: Uint8Array): EntryKind {
  return KINDS[record[0] as number] as EntryKind;
}

export function payloadOfEntry(record: Uint8Array): Uint8Array {
  return record.subarray(ENTRY_HEADER_BYTES);
}

/** Throws `MalformedBytesError` for what no leader has made. */
export function checkEntry(record: Uint8Array): void {
  if (record.length < ENTRY_HEADER_BYTES) {
    throw new MalformedBytesError(`an entry of ${record.length} bytes`);
  }
  if (KINDS[record[0] as number] === undefined) {
    throw new MalformedBytesError(`entry kind ${record[0]}`);
  }
  if (!Number.isSafeInteger(termOfEntry(record))) {
    throw new MalformedBytesError(`an entry of term ${termOfEntry(record)}`);
  }
}
