import { crc32 } from "node:zlib";
import { type Generation, SPACES, type Space } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";

/**
 * How entries lie in the state file. All numbers are big-endian, so that keys order as the tuples
 * do that they are made of.
 *
 *     0x00 "head"                                    → checks, position u48, count u48, sum u48
 *     0x01 shard u48  generation u32                 → checks, isCurrent u8, count u48, sum u48
 *     0x02 shard u48  generation u32  space u8  key  → checks, value
 *
 * Two checks of four bytes: the CRC-32 of the whole key and what follows the checks, which is the
 * record's checksum, and that of the key alone, which tells a value that was changed from an entry
 * that has lost its place. A summary has number and sum of checksums of the entries of one
 * generation, and the head those of the summaries: what a damaged page hides is missed.
 */
export const CHECK_BYTES = 8;

const SUMMARY_TABLE = 1;
export const ENTRY_TABLE = 2;

export const SHARD_AT = 1;
const SHARD_BYTES = 6;
const GENERATION_AT = SHARD_AT + SHARD_BYTES;
const GENERATION_BYTES = 4;
export const SPACE_AT = GENERATION_AT + GENERATION_BYTES;
/** Bytes of an entry's key before the key of the user. */
export const ENTRY_PREFIX_BYTES = SPACE_AT + 1;

/** Sums of checksums wrap here: a sum and one more checksum are safe integers. */
const SUM_MODULUS = 2 ** 48;

export const MAX_GENERATION = 2 ** 32 - 1;

export const HEAD_KEY: Readonly<Uint8Array> = Buffer.from("\0head", "latin1");

/** What one generation of a shard holds, whatever the order: compared with a count at opening. */
export interface Summary {
  readonly isCurrent: boolean;
  readonly count: number;
  readonly sum: number;
}

export const EMPTY_SUM = 0;

/** The count of a generation that was found damaged, and whose entries are given up. */
export const DAMAGED_COUNT = 2 ** 48 - 1;

export function addToSum(sum: number, checksum: number): number {
  return (sum + checksum) % SUM_MODULUS;
}

export function takeFromSum(sum: number, checksum: number): number {
  return (sum - checksum + SUM_MODULUS) % SUM_MODULUS;
}

/** Where an entry is, without its key. */
export function entryPrefix(shard: ShardId, generation: Generation, space: Space): Uint8Array {
  const prefix = Buffer.alloc(ENTRY_PREFIX_BYTES);
  prefix[0] = ENTRY_TABLE;
  prefix.writeUIntBE(shard, SHARD_AT, SHARD_BYTES);
  prefix.writeUInt32BE(generation, GENERATION_AT);
  prefix[SPACE_AT] = SPACES.indexOf(space);
  return prefix;
}

export function joined(prefix: Uint8Array, key: Uint8Array): Uint8Array {
  const whole = Buffer.allocUnsafe(prefix.length + key.length);
  whole.set(prefix, 0);
  whole.set(key, prefix.length);
  return whole;
}

/** The first key behind all that begin with `prefix`, whose last byte is not 255. */
export function endOf(prefix: Uint8Array): Uint8Array {
  const end = Uint8Array.from(prefix);
  const last = end.length - 1;
  end[last] = (end[last] as number) + 1;
  return end;
}

/** Everything of one generation of a shard, half-open. */
export function generationBounds(
  shard: ShardId,
  generation: Generation,
): { readonly from: Uint8Array; readonly to: Uint8Array } {
  const [first] = SPACES;
  const from = entryPrefix(shard, generation, first as Space);
  const to = Uint8Array.from(from);
  to[SPACE_AT] = SPACES.length;
  return { from, to };
}

export function summaryKey(shard: ShardId, generation: Generation): Uint8Array {
  const key = Buffer.alloc(SPACE_AT);
  key[0] = SUMMARY_TABLE;
  key.writeUIntBE(shard, SHARD_AT, SHARD_BYTES);
  key.writeUInt32BE(generation, GENERATION_AT);
  return key;
}

/** Every summary, half-open. */
export function summaryBounds(): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: Uint8Array.of(SUMMARY_TABLE), to: Uint8Array.of(SUMMARY_TABLE + 1) };
}

/** Whose a summary or an entry is. */
export function ownerOf(key: Uint8Array): {
  readonly shard: ShardId;
  readonly generation: Generation;
} {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length);
  return {
    shard: bytes.readUIntBE(SHARD_AT, SHARD_BYTES) as ShardId,
    generation: bytes.readUInt32BE(GENERATION_AT),
  };
}

/** Writes checks and value to `into`; answers the checksum. */
export function sealInto(into: Uint8Array, key: Uint8Array, value: Uint8Array): number {
  const keyCheck = crc32(key);
  const checksum = crc32(value, keyCheck);
  putU32(into, 0, checksum);
  putU32(into, 4, keyCheck);
  into.set(value, CHECK_BYTES);
  return checksum;
}

export function sealed(key: Uint8Array, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(CHECK_BYTES + value.length);
  sealInto(record, key, value);
  return record;
}

/** The checksum as it stands in a record, right or wrong; 0 where there is none. */
export function storedChecksum(record: Uint8Array): number {
  return record.length < CHECK_BYTES ? 0 : u32At(record, 0);
}

/** What the checksum of the record should be. */
export function trueChecksum(key: Uint8Array, record: Uint8Array): number {
  return crc32(record.subarray(CHECK_BYTES), crc32(key));
}

/** Whether the record was written under this key, whatever has become of its value. */
export function isUnderItsKey(key: Uint8Array, record: Uint8Array): boolean {
  return record.length >= CHECK_BYTES && u32At(record, 4) === crc32(key);
}

/** The value, without a copy; undefined if the record fails its check. */
export function unsealed(key: Uint8Array, record: Uint8Array): Uint8Array | undefined {
  if (record.length < CHECK_BYTES) return undefined;
  return u32At(record, 0) === trueChecksum(key, record) ? record.subarray(CHECK_BYTES) : undefined;
}

/**
 * The value as the caller's own, where the record is bytes that are used again: only the first
 * `record.length` of them belong to it. Undefined if the record fails its check.
 */
export function unsealedCopy(key: Uint8Array, record: Uint8Array): Uint8Array | undefined {
  const { length } = record;
  if (length < CHECK_BYTES) return undefined;
  const at = record.byteOffset + CHECK_BYTES;
  const value = new Uint8Array(record.buffer, at, length - CHECK_BYTES);
  if (u32At(record, 0) !== crc32(value, crc32(key))) return undefined;
  // From Node's pool: memory of its own for each small value costs four times as much.
  const copy = Buffer.allocUnsafe(value.length);
  copy.set(value);
  return copy;
}

function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function u32At(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as number[];
  return (
    (((a as number) << 24) | ((b as number) << 16) | ((c as number) << 8) | (d as number)) >>> 0
  );
}

/** Where the state stands, and how many summaries there are. */
export interface Head {
  readonly position: number;
  readonly count: number;
  readonly sum: number;
}

const HEAD_BYTES = 18;
const COUNT_AT = 1;
const SUM_AT = COUNT_AT + 6;
const SUMMARY_BYTES = SUM_AT + 6;

export function encodeHead({ position, count, sum }: Head): Uint8Array {
  const value = Buffer.alloc(HEAD_BYTES);
  value.writeUIntBE(position, 0, 6);
  value.writeUIntBE(count, 6, 6);
  value.writeUIntBE(sum, 12, 6);
  return sealed(HEAD_KEY, value);
}

/** Undefined if the record fails its check. */
export function decodeHead(record: Uint8Array): Head | undefined {
  const value = unsealed(HEAD_KEY, record);
  if (value?.length !== HEAD_BYTES) return undefined;
  const bytes = Buffer.from(value);
  return {
    position: bytes.readUIntBE(0, 6),
    count: bytes.readUIntBE(6, 6),
    sum: bytes.readUIntBE(12, 6),
  };
}

export function encodeSummary(key: Uint8Array, summary: Summary): Uint8Array {
  const value = Buffer.alloc(SUMMARY_BYTES);
  value[0] = summary.isCurrent ? 1 : 0;
  value.writeUIntBE(summary.count, COUNT_AT, 6);
  value.writeUIntBE(summary.sum, SUM_AT, 6);
  return sealed(key, value);
}

/** Undefined if the record fails its check. */
export function decodeSummary(key: Uint8Array, record: Uint8Array): Summary | undefined {
  const value = unsealed(key, record);
  if (value?.length !== SUMMARY_BYTES) return undefined;
  const bytes = Buffer.from(value);
  return {
    isCurrent: bytes[0] === 1,
    count: bytes.readUIntBE(COUNT_AT, 6),
    sum: bytes.readUIntBE(SUM_AT, 6),
  };
}
