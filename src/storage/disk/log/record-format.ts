import { crc32 } from "node:zlib";
import type { ShardId } from "../../../core/model/ids.ts";
import { getU32, getU48, getU64 } from "./get-number.ts";
import { putU32, putU48, putU64 } from "./put-number.ts";
import { shortChecksum } from "./short-checksum.ts";

/**
 * A record is a header of 28 bytes and its payload:
 *
 *     checksum of the header (4) · kind (1) · flags (1) · shard (6) · payload length (4) ·
 *     sequence (8) · checksum of the payload (4)
 *
 * The header's checksum begins with the batch's seed, so that no record of another batch fits.
 */
export const RECORD_HEADER_BYTES = 28;

export const RECORD_KINDS = Object.freeze({
  append: 1,
  /** The shard's records above `sequence` are dropped; `sequence` is the last that is left. */
  truncate: 2,
  /** The shard is forgotten; `sequence` is the next. */
  reset: 3,
  /** How the shard stands, for the time when older records of it are gone: `sequence` is the last. */
  standing: 4,
  /** A record again, so that the segment that held it can go. Has no position. */
  rewritten: 5,
} as const);

export type RecordKind = (typeof RECORD_KINDS)[keyof typeof RECORD_KINDS];

/** On a standing: the shard's records are damaged until it is reset. */
export const DAMAGED_FLAG = 1;

/** Stands for the shards of which nothing is known, where it is not known what was lost. */
export const UNKNOWN_SHARDS = 0xffff_ffff_ffff as ShardId;

export interface RecordHeader {
  readonly kind: RecordKind;
  readonly flags: number;
  readonly shard: ShardId;
  readonly sequence: number;
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
}

export function hasPosition(kind: RecordKind): boolean {
  return kind <= RECORD_KINDS.reset;
}

export interface RecordToEncode {
  readonly kind: RecordKind;
  readonly flags: number;
  readonly shard: ShardId;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export function encodeRecord(
  target: Uint8Array,
  at: number,
  seed: number,
  record: RecordToEncode,
): void {
  const { payload } = record;
  target[at + 4] = record.kind;
  target[at + 5] = record.flags;
  putU48(target, record.shard, at + 6);
  putU32(target, payload.length, at + 12);
  putU64(target, record.sequence, at + 16);
  putU32(target, payload.length === 0 ? 0 : crc32(payload), at + 24);
  putU32(target, shortChecksum(target, at + 4, at + RECORD_HEADER_BYTES, seed), at);
  target.set(payload, at + RECORD_HEADER_BYTES);
}

/** Undefined if the header is not whole, or the payload would reach beyond `bytes`. */
export function decodeRecord(
  source: Uint8Array,
  at: number,
  seed: number,
): RecordHeader | undefined {
  const end = at + RECORD_HEADER_BYTES;
  if (end > source.length) return undefined;
  if (getU32(source, at) !== shortChecksum(source, at + 4, end, seed)) return undefined;
  const kind = source[at + 4] as RecordKind;
  const payloadBytes = getU32(source, at + 12);
  if (kind < RECORD_KINDS.append || kind > RECORD_KINDS.rewritten) return undefined;
  if (end + payloadBytes > source.length) return undefined;
  return {
    kind,
    flags: source[at + 5] as number,
    shard: getU48(source, at + 6) as ShardId,
    sequence: getU64(source, at + 16),
    payloadBytes,
    payloadChecksum: getU32(source, at + 24),
  };
}

export function payloadIsWhole(
  bytes: Uint8Array,
  at: number,
  header: Pick<RecordHeader, "payloadBytes" | "payloadChecksum">,
): boolean {
  if (header.payloadBytes === 0) return header.payloadChecksum === 0;
  const from = at + RECORD_HEADER_BYTES;
  return crc32(bytes.subarray(from, from + header.payloadBytes)) === header.payloadChecksum;
}

/** The payload of records that have none. */
export const NO_PAYLOAD: Readonly<Uint8Array> = Object.freeze(new Uint8Array());
