import { crc32 } from "node:zlib";
import type { ShardId } from "../../../core/model/ids.ts";
import { asBuffer } from "./as-buffer.ts";
import { getU32, getU64 } from "./get-number.ts";
import { putU32, putU48, putU64 } from "./put-number.ts";
import { shortChecksum } from "./short-checksum.ts";

/**
 * A batch is what one flush sealed. All numbers are big-endian, and a batch begins and ends at a
 * multiple of eight bytes of its file:
 *
 *     header (80) · records · table of shards · padding · trailer (80)
 *
 * The trailer is the header again under another magic number, so that one flipped bit in either
 * loses nothing. The table names the shards that the records concern, and is asked only where a
 * record's own header is broken.
 */
export const BATCH_HEADER_BYTES = 80;
export const BATCH_HEADER_MAGIC = 0xca957a61;
export const BATCH_TRAILER_MAGIC = 0xca957a62;
const ALIGNMENT = 8;
const SHARD_BYTES = 6;
const CHECKSUM_BYTES = 4;

export interface BatchHeader {
  /** Random, one per log: bytes of another log that a user stored are never taken for ours. */
  readonly logId: number;
  readonly recordsBytes: number;
  readonly shardCount: number;
  /** How many of the records have a position; theirs are `firstPosition` and on. */
  readonly positions: number;
  readonly firstPosition: number;
  /** Which use of its segment file this is. */
  readonly generation: number;
  /** Rises by one per batch, over segments and openings. */
  readonly sequence: number;
  /** Rises by one per opening. */
  readonly epoch: number;
  /** Batches of earlier epochs from this sequence on were cut when this epoch began. */
  readonly epochStart: number;
  /** All batches up to this one were on stable storage before this one was written. */
  readonly mark: number;
  /** The first batch that is still needed. */
  readonly start: number;
  readonly recordsChecksum: number;
}

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** All bytes of a batch in the file. */
export function batchSpan(header: { recordsBytes: number; shardCount: number }): number {
  return spanOf(header.recordsBytes, header.shardCount);
}

/** The same of a batch that has no header yet: asked for every record. */
export function spanOf(recordsBytes: number, shardCount: number): number {
  const table = shardCount * SHARD_BYTES + CHECKSUM_BYTES;
  return align(BATCH_HEADER_BYTES + recordsBytes + table) + BATCH_HEADER_BYTES;
}

/** What a disk loses at once, or not at all. */
const SECTOR_BYTES = 512;
export const MARK_BYTES = batchSpan({ recordsBytes: 0, shardCount: 0 });

/** There is always so much room for a mark behind the last batch of a segment. */
export const MARK_ROOM_BYTES = MARK_BYTES + SECTOR_BYTES - ALIGNMENT;

/** Where the mark of a batch that ends at `end` stands: no sector holds both. */
export function markOffset(end: number): number {
  return Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES;
}

/** A mark is no batch: it says that the batch of its sequence was put on stable storage. */
export function isMark(header: BatchHeader): boolean {
  return header.mark >= header.sequence;
}

/** What checksums of records begin with, so that a record of another batch never fits. */
export function batchSeed(logId: number, epoch: number, sequence: number): number {
  const bytes = new Uint8Array(20);
  putU32(bytes, logId, 0);
  putU64(bytes, epoch, 4);
  putU64(bytes, sequence, 12);
  return shortChecksum(bytes, 0, bytes.length);
}

/** Puts header, table and trailer around records that are in their place already. */
export function frameBatch(
  target: Uint8Array,
  at: number,
  header: BatchHeader,
  shards: Iterable<ShardId>,
): void {
  let end = at + BATCH_HEADER_BYTES + header.recordsBytes;
  const table = end;
  for (const shard of shards) {
    putU48(target, shard, end);
    end += SHARD_BYTES;
  }
  putU32(target, shortChecksum(target, table, end), end);
  end += CHECKSUM_BYTES;
  const trailer = at + batchSpan(header) - BATCH_HEADER_BYTES;
  target.fill(0, end, trailer);
  encodeHeader(target, at, header);
  target.copyWithin(trailer, at, at + BATCH_HEADER_BYTES);
  putU32(target, BATCH_TRAILER_MAGIC, trailer);
}

function encodeHeader(into: Uint8Array, at: number, header: BatchHeader): void {
  putU32(into, BATCH_HEADER_MAGIC, at);
  putU32(into, header.logId, at + 8);
  putU32(into, header.recordsBytes, at + 12);
  putU32(into, header.shardCount, at + 16);
  putU32(into, header.positions, at + 20);
  putU64(into, header.generation, at + 24);
  putU64(into, header.sequence, at + 32);
  putU32(into, header.epoch, at + 40);
  putU32(into, header.recordsChecksum, at + 44);
  putU64(into, header.epochStart, at + 48);
  putU64(into, header.mark, at + 56);
  putU64(into, header.start, at + 64);
  putU64(into, header.firstPosition, at + 72);
  putU32(into, shortChecksum(into, at + 8, at + BATCH_HEADER_BYTES), at + 4);
}

/** The header, or trailer, that is whole at `at`; undefined if there is none. */
export function decodeHeader(
  source: Uint8Array,
  at: number,
  magic: number,
): BatchHeader | undefined {
  const end = at + BATCH_HEADER_BYTES;
  if (end > source.length || getU32(source, at) !== magic) return undefined;
  if (getU32(source, at + 4) !== shortChecksum(source, at + 8, end)) return undefined;
  return {
    logId: getU32(source, at + 8),
    recordsBytes: getU32(source, at + 12),
    shardCount: getU32(source, at + 16),
    positions: getU32(source, at + 20),
    generation: getU64(source, at + 24),
    sequence: getU64(source, at + 32),
    epoch: getU32(source, at + 40),
    recordsChecksum: getU32(source, at + 44),
    epochStart: getU64(source, at + 48),
    mark: getU64(source, at + 56),
    start: getU64(source, at + 64),
    firstPosition: getU64(source, at + 72),
  };
}

/** Whether the records of a whole batch are as they were written. */
export function recordsAreWhole(batch: Uint8Array, header: BatchHeader): boolean {
  const end = BATCH_HEADER_BYTES + header.recordsBytes;
  return crc32(batch.subarray(BATCH_HEADER_BYTES, end)) === header.recordsChecksum;
}

/** The shards that a batch concerns; undefined if the table is broken. */
export function shardsOf(source: Uint8Array, header: BatchHeader): readonly ShardId[] | undefined {
  const batch = asBuffer(source);
  const from = BATCH_HEADER_BYTES + header.recordsBytes;
  const end = from + header.shardCount * SHARD_BYTES;
  if (crc32(batch.subarray(from, end)) !== batch.readUInt32BE(end)) return undefined;
  const shards: ShardId[] = [];
  for (let at = from; at < end; at += SHARD_BYTES) {
    shards.push(batch.readUIntBE(at, SHARD_BYTES) as ShardId);
  }
  return shards;
}
