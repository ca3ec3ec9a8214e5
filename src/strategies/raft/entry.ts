import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { EntryKind } from "./consensus-types.ts";

/**
 * A log record begins with a header: kind (1), term (8, big-endian). Whoever proposes leaves the
 * header's bytes free in front of the payload and the leader fills them in, so that the bytes
 * that were encoded once go to the log, to memory and to the peers as they are.
 */
export const ENTRY_HEADER_BYTES = 9;

const KINDS: readonly EntryKind[] = Object.freeze(["command", "no-op", "configuration"]);
const TWO_POW_32 = 4_294_967_296;

/** Writes kind and term into the first bytes of `record`. */
export function sealEntry(record: Uint8Array, kind: EntryKind, term: number): void {
  if (record.length < ENTRY_HEADER_BYTES) {
    throw new RangeError(`a record of ${record.length} bytes has no room for its header`);
  }
  record[0] = KINDS.indexOf(kind);
  putU32(record, 1, Math.floor(term / TWO_POW_32));
  putU32(record, 5, term % TWO_POW_32);
}

/** A record with this payload and nothing in its header yet. */
export function unsealedEntry(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(ENTRY_HEADER_BYTES + payload.length);
  record.set(payload, ENTRY_HEADER_BYTES);
  return record;
}

export function termOfEntry(record: Uint8Array): number {
  return u32At(record, 1) * TWO_POW_32 + u32At(record, 5);
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

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
