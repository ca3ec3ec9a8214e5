import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";

/**
 * What the state holds under a key: `format, flags, revision, [expiry], value`. The revision is
 * the index of the log entry that wrote it. Equal log prefixes give equal bytes on every replica.
 */
const FORMAT = 1;
const FLAG_EXPIRES = 1;
const REVISION_AT = 2;
const EXPIRY_AT = 10;
const PLAIN_HEADER_BYTES = 10;
const EXPIRING_HEADER_BYTES = 18;
const TWO_POW_32 = 4_294_967_296;

/**
 * A record and its key in one piece of memory of their own: what the state holds must not keep the
 * log's or a frame's memory alive.
 *
 * @param expiresAtMs by the clock of the log (see `Books.clockMs`); 0: never.
 */
export function makeRecord(
  key: Uint8Array,
  revision: number,
  expiresAtMs: number,
  value: Uint8Array,
): { readonly key: Uint8Array; readonly record: Uint8Array } {
  const header = expiresAtMs === 0 ? PLAIN_HEADER_BYTES : EXPIRING_HEADER_BYTES;
  const both = Buffer.allocUnsafe(key.length + header + value.length);
  both.set(key, 0);
  const record = both.subarray(key.length);
  record[0] = FORMAT;
  record[1] = expiresAtMs === 0 ? 0 : FLAG_EXPIRES;
  writeU64(record, revision, REVISION_AT);
  if (expiresAtMs !== 0) writeU64(record, expiresAtMs, EXPIRY_AT);
  record.set(value, header);
  return { key: both.subarray(0, key.length), record };
}

export function revisionOf(record: Uint8Array): number {
  return readU64(record, REVISION_AT);
}

/** 0: never. */
export function expiresAtMsOf(record: Uint8Array): number {
  return (record[1] as number) === 0 ? 0 : readU64(record, EXPIRY_AT);
}

/** A view. */
export function valueIn(record: Uint8Array): Uint8Array {
  return record.subarray((record[1] as number) === 0 ? PLAIN_HEADER_BYTES : EXPIRING_HEADER_BYTES);
}

/** Whether a record is there for readers: its time has not come by the clock of the log. */
export function isLive(record: Uint8Array, clockMs: number): boolean {
  return (record[1] as number) === 0 || readU64(record, EXPIRY_AT) > clockMs;
}

/** Of a record that came from a peer. Throws `MalformedBytesError`. */
export function checkRecord(record: Uint8Array): void {
  if (record.length < PLAIN_HEADER_BYTES) {
    throw new MalformedBytesError(`a record of ${record.length} bytes`);
  }
  if (record[0] !== FORMAT) throw new MalformedBytesError(`record format ${record[0]}`);
  const flags = record[1] as number;
  if (flags > FLAG_EXPIRES) throw new MalformedBytesError(`record flags ${flags}`);
  if (flags === FLAG_EXPIRES && record.length < EXPIRING_HEADER_BYTES) {
    throw new MalformedBytesError(`an expiring record of ${record.length} bytes`);
  }
}

export function writeU64(target: Uint8Array, value: number, at: number): void {
  const high = Math.floor(value / TWO_POW_32);
  writeU32(target, high, at);
  writeU32(target, value - high * TWO_POW_32, at + 4);
}

export function readU64(source: Uint8Array, at: number): number {
  return readU32(source, at) * TWO_POW_32 + readU32(source, at + 4);
}

export function writeU32(target: Uint8Array, value: number, at: number): void {
  target[at] = value >>> 24;
  target[at + 1] = (value >>> 16) & 0xff;
  target[at + 2] = (value >>> 8) & 0xff;
  target[at + 3] = value & 0xff;
}

export function readU32(source: Uint8Array, at: number): number {
  return (
    (((source[at] as number) << 24) |
      ((source[at + 1] as number) << 16) |
      ((source[at + 2] as number) << 8) |
      (source[at + 3] as number)) >>>
    0
  );
}
