import type { LogSequence, ShardId } from "../../src/core/model/ids.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_HEADER_MAGIC,
  batchSeed,
  decodeHeader,
} from "../../src/storage/disk/log/batch-format.ts";
import { decodeRecord, RECORD_HEADER_BYTES } from "../../src/storage/disk/log/record-format.ts";

/** Where the payload of a record begins in the bytes of a segment. */
export function findRecord(
  segment: Uint8Array,
  shard: ShardId,
  sequence: LogSequence,
): number | undefined {
  const bytes = Buffer.from(segment);
  for (let start = 0; start < bytes.length; start += 8) {
    const header = decodeHeader(bytes, start, BATCH_HEADER_MAGIC);
    if (header === undefined) continue;
    const seed = batchSeed(header.logId, header.epoch, header.sequence);
    let at = start + BATCH_HEADER_BYTES;
    const end = at + header.recordsBytes;
    while (at < end) {
      const record = decodeRecord(bytes, at, seed);
      if (record === undefined) break;
      const payload = at + RECORD_HEADER_BYTES;
      const isIt = record.shard === shard && record.sequence === sequence;
      if (isIt && record.payloadBytes > 0) return payload;
      at = payload + record.payloadBytes;
    }
  }
  return undefined;
}
