import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { STAMP_BYTES, type Stamp } from "../../core/model/stamp.ts";

/**
 * A stored version of one key, as bytes: `format, flags, stamp, value`. The stamp is big-endian,
 * so that comparing bytes 2…17 compares stamps. The same bytes go to the log, the peers and the
 * state, and come back from them.
 */
const FORMAT = 1;
const FLAG_TOMBSTONE = 1;
const KNOWN_FLAGS = FLAG_TOMBSTONE;
const STAMP_AT = 2;
export const RECORD_HEADER_BYTES = STAMP_AT + STAMP_BYTES;
const TWO_POW_32 = 4_294_967_296;

/** A key and its record in one run of bytes: what the log keeps and a write message carries. */
export interface KeyedRecord {
  /** `u16 key length, key, record`. */
  readonly payload: Uint8Array;
  readonly key: Uint8Array;
  readonly record: Uint8Array;
}

/** Makes the version that `stamp` names. `value` undefined makes a tombstone. */
export function makeKeyedRecord(
  key: Uint8Array,
  stamp: Stamp,
  value: Uint8Array | undefined,
): KeyedRecord {
  const recordAt = 2 + key.length;
  const size = recordAt + RECORD_HEADER_BYTES + (value?.length ?? 0);
  const payload = Buffer.allocUnsafe(size);
  payload.writeUInt16BE(key.length, 0);
  payload.set(key, 2);
  payload[recordAt] = FORMAT;
  payload[recordAt + 1] = value === undefined ? FLAG_TOMBSTONE : 0;
  const timeHigh = Math.floor(stamp.time / TWO_POW_32);
  payload.writeUInt32BE(timeHigh, recordAt + 2);
  payload.writeUInt32BE(stamp.time - timeHigh * TWO_POW_32, recordAt + 6);
  payload.writeUInt32BE(stamp.actorHigh, recordAt + 10);
  payload.writeUInt32BE(stamp.actorLow, recordAt + 14);
  if (value !== undefined) payload.set(value, recordAt + RECORD_HEADER_BYTES);
  return { payload, key, record: payload.subarray(recordAt) };
}

/** The pair for a record that is there already: repair, write-back. */
export function keyRecord(key: Uint8Array, record: Uint8Array): KeyedRecord {
  const payload = Buffer.allocUnsafe(2 + key.length + record.length);
  payload.writeUInt16BE(key.length, 0);
  payload.set(key, 2);
  payload.set(record, 2 + key.length);
  return { payload, key, record };
}

/**
 * Views of a payload, whose record `check` accepts; throws `MalformedBytesError`. The payload must
 * be the caller's own.
 */
export function splitPayload(
  payload: Uint8Array,
  check: (record: Uint8Array) => void = checkRecord,
): KeyedRecord {
  if (payload.length < 2) throw new MalformedBytesError("a payload without a key length");
  const keyLength = ((payload[0] as number) << 8) | (payload[1] as number);
  const recordAt = 2 + keyLength;
  if (keyLength === 0 || recordAt >= payload.length) {
    throw new MalformedBytesError(`a key of ${keyLength} bytes in a payload of ${payload.length}`);
  }
  const record = payload.subarray(recordAt);
  check(record);
  return { payload, key: payload.subarray(2, recordAt), record };
}

/** Refuses what this format does not know, so that a newer format is never misread. */
export function checkRecord(record: Uint8Array): void {
  if (record.length < RECORD_HEADER_BYTES) {
    throw new MalformedBytesError(`a record of ${record.length} bytes`);
  }
  if (record[0] !== FORMAT) throw new MalformedBytesError(`record format ${record[0]}`);
  const flags = record[1] as number;
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new MalformedBytesError(`record flags ${flags}`);
  if (u32At(record, STAMP_AT) >= 0x20_0000) throw new MalformedBytesError("a time beyond 2^53");
}

export function isTombstone(record: Uint8Array): boolean {
  return ((record[1] as number) & FLAG_TOMBSTONE) !== 0;
}

/** A view; undefined for a tombstone. */
export function liveValueOf(record: Uint8Array): Uint8Array | undefined {
  return isTombstone(record) ? undefined : record.subarray(RECORD_HEADER_BYTES);
}

export function stampOf(record: Uint8Array): Stamp {
  return {
    time: u32At(record, STAMP_AT) * TWO_POW_32 + u32At(record, STAMP_AT + 4),
    actorHigh: u32At(record, STAMP_AT + 8),
    actorLow: u32At(record, STAMP_AT + 12),
  };
}

/** Order of the stamps alone. */
export function compareRecordStamps(a: Uint8Array, b: Uint8Array): number {
  for (let at = STAMP_AT; at < RECORD_HEADER_BYTES; at += 4) {
    const difference = u32At(a, at) - u32At(b, at);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return 0;
}

/**
 * The total order of last-writer-wins: stamp, then bytes. Equal stamps name one write, so
 * different bytes under one stamp can only come from an operation id that was used twice; the
 * order by bytes keeps even then every replica at the same winner.
 */
export function compareRecords(a: Uint8Array, b: Uint8Array): number {
  const byStamp = compareRecordStamps(a, b);
  return byStamp !== 0 ? byStamp : Buffer.compare(a, b);
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
