import { putU32, putU64, u16At, u32At, u64At } from "../../core/model/big-endian.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { type HybridTime, STAMP_BYTES, type Stamp } from "../../core/model/stamp.ts";

/**
 * A stored version of one key, as bytes: `format, flags, stamp, expiry?, value`. The stamp is
 * big-endian, so that comparing bytes 2…17 compares stamps. The same bytes go to the log, the peers
 * and the state, and come back from them.
 *
 * A version that expires becomes a tombstone at its expiry, by nothing but its own bytes: the value
 * goes, the stamp and the expiry stay. So it is the same on every node, whenever each of them comes
 * to do it, and it is the greater of the two wherever they meet.
 */
const FORMAT = 1;
const FLAG_TOMBSTONE = 1;
/** The stamp is followed by the milliseconds of wall time at which the value is gone. */
const FLAG_EXPIRES = 2;
const KNOWN_FLAGS = FLAG_TOMBSTONE | FLAG_EXPIRES;
const STAMP_AT = 2;
const EXPIRY_BYTES = 8;
export const RECORD_HEADER_BYTES = STAMP_AT + STAMP_BYTES;

/** A key and its record in one run of bytes: what the log keeps and a write message carries. */
export interface KeyedRecord {
  /** `u16 key length, key, record`. */
  readonly payload: Uint8Array;
  readonly key: Uint8Array;
  readonly record: Uint8Array;
}

/**
 * Makes the version that `stamp` names. `value` undefined makes a tombstone. With `expiresAtMs`, in
 * milliseconds of wall time, the value is gone from then on.
 */
export function makeKeyedRecord(
  key: Uint8Array,
  stamp: Stamp,
  value: Uint8Array | undefined,
  expiresAtMs?: number,
): KeyedRecord {
  const recordAt = 2 + key.length;
  const valueAt = recordAt + RECORD_HEADER_BYTES + (expiresAtMs === undefined ? 0 : EXPIRY_BYTES);
  const payload = Buffer.allocUnsafe(valueAt + (value?.length ?? 0));
  payload.writeUInt16BE(key.length, 0);
  payload.set(key, 2);
  payload[recordAt] = FORMAT;
  payload[recordAt + 1] =
    (value === undefined ? FLAG_TOMBSTONE : 0) | (expiresAtMs === undefined ? 0 : FLAG_EXPIRES);
  putU64(payload, recordAt + 2, stamp.time);
  putU32(payload, recordAt + 10, stamp.actorHigh);
  putU32(payload, recordAt + 14, stamp.actorLow);
  if (expiresAtMs !== undefined) putU64(payload, recordAt + RECORD_HEADER_BYTES, expiresAtMs);
  if (value !== undefined) payload.set(value, valueAt);
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
  const keyLength = u16At(payload, 0);
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
  if ((flags & FLAG_EXPIRES) === 0) return;
  if (record.length < valueAtOf(record)) {
    throw new MalformedBytesError(`a record of ${record.length} bytes without its expiry`);
  }
  if (u32At(record, RECORD_HEADER_BYTES) >= 0x20_0000) {
    throw new MalformedBytesError("an expiry beyond 2^53");
  }
}

export function isTombstone(record: Uint8Array): boolean {
  return ((record[1] as number) & FLAG_TOMBSTONE) !== 0;
}

/** A view; undefined for a tombstone. */
export function liveValueOf(record: Uint8Array): Uint8Array | undefined {
  return isTombstone(record) ? undefined : record.subarray(valueAtOf(record));
}

/** When the value is gone, in milliseconds of wall time; undefined if it stays, or is gone. */
export function expiryOf(record: Uint8Array): number | undefined {
  return ((record[1] as number) & KNOWN_FLAGS) === FLAG_EXPIRES
    ? u64At(record, RECORD_HEADER_BYTES)
    : undefined;
}

/** The record as it is at that time: itself, or, at its expiry and later, its tombstone. */
export function expireRecord(record: Uint8Array, wallMs: number): Uint8Array {
  const expiresAtMs = expiryOf(record);
  if (expiresAtMs === undefined || wallMs < expiresAtMs) return record;
  const tombstone = Buffer.from(headerOf(record));
  tombstone[1] = FLAG_EXPIRES | FLAG_TOMBSTONE;
  return tombstone;
}

/** Whether the tombstone is what the other record comes to at its expiry. */
export function isExpiredFrom(tombstone: Uint8Array, record: Uint8Array): boolean {
  const at = RECORD_HEADER_BYTES;
  return (
    tombstone[1] === (FLAG_EXPIRES | FLAG_TOMBSTONE) &&
    expiryOf(record) !== undefined &&
    compareRecordStamps(tombstone, record) === 0 &&
    u64At(tombstone, at) === u64At(record, at)
  );
}

/** It was a value, and has expired. */
export function hasExpired(record: Uint8Array): boolean {
  return record[1] === (FLAG_EXPIRES | FLAG_TOMBSTONE);
}

/** When it was, in milliseconds of wall time, that this tombstone's value has expired, if it has. */
export function expiredAtOf(record: Uint8Array): number | undefined {
  return hasExpired(record) ? u64At(record, RECORD_HEADER_BYTES) : undefined;
}

/** A view: all but the value. */
export function headerOf(record: Uint8Array): Uint8Array {
  return record.subarray(0, valueAtOf(record));
}

export function stampOf(record: Uint8Array): Stamp {
  return {
    time: u64At(record, STAMP_AT),
    actorHigh: u32At(record, STAMP_AT + 8),
    actorLow: u32At(record, STAMP_AT + 12),
  };
}

/** `stampOf(record).time`, without a stamp for it. */
export function timeOf(record: Uint8Array): HybridTime {
  return u64At(record, STAMP_AT);
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

function valueAtOf(record: Uint8Array): number {
  const expires = ((record[1] as number) & FLAG_EXPIRES) !== 0;
  return RECORD_HEADER_BYTES + (expires ? EXPIRY_BYTES : 0);
}
