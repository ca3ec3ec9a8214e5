import type { LogSequence, ShardId } from "../core/model/ids.ts";
import { asBuffer } from "../storage/disk/log/as-buffer.ts";
import { getU64 } from "../storage/disk/log/get-number.ts";
import {
  payloadIsWhole,
  RECORD_HEADER_BYTES,
  RECORD_KINDS,
} from "../storage/disk/log/record-format.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";
import type { SimulatedFileContent } from "./simulated-file.ts";

/** Of a record's header, as `record-format.ts` lays it out. */
const KIND_AT = 4;
const FLAGS_AT = 5;
const PAYLOAD_BYTES_AT = 12;
const SEQUENCE_AT = 16;
const PAYLOAD_CHECKSUM_AT = 24;
const SHARD_BYTES = 6;

/** A record of a log that somebody looks for. */
export interface SoughtRecord {
  readonly shard: ShardId;
  readonly sequence: LogSequence;
  /** Whether it is this one: another one may have had its place before. */
  readonly isIt: (payload: Uint8Array) => boolean;
}

/**
 * Whether the record lies whole on stable storage. Looks at the bytes of the simulated disk alone:
 * what the log, and the store above it, take for durable is not asked.
 */
export function isRecordStable(disk: SimulatedDisk, sought: SoughtRecord): boolean {
  const pattern = Buffer.alloc(1 + SHARD_BYTES);
  pattern.writeUIntBE(sought.shard, 1, SHARD_BYTES);
  const { newestFile, newestEnd } = disk;
  const files = disk.stableFiles();
  // Most are asked for soon after they were written, and lie shortly before the end.
  if (newestFile !== undefined && files.includes(newestFile)) {
    if (isWithin(newestFile, newestEnd, pattern, sought)) return true;
  }
  return files.some((file) => isWithin(file, file.size, pattern, sought));
}

/** @param pattern flags and shard of the header. */
function isWithin(
  file: SimulatedFileContent,
  end: number,
  pattern: Buffer,
  { sequence, isIt }: SoughtRecord,
): boolean {
  const stable = asBuffer(file.stable);
  let at = Math.min(end, stable.length);
  while (at > 0) {
    at = stable.lastIndexOf(pattern, at - 1);
    if (at < FLAGS_AT) return false;
    const payload = payloadAt(stable, at - FLAGS_AT, sequence);
    if (payload !== undefined && isIt(payload)) return true;
  }
  return false;
}

function payloadAt(bytes: Buffer, at: number, sequence: LogSequence): Uint8Array | undefined {
  const from = at + RECORD_HEADER_BYTES;
  if (from > bytes.length || getU64(bytes, at + SEQUENCE_AT) !== sequence) return undefined;
  const kind = bytes[at + KIND_AT];
  if (kind !== RECORD_KINDS.append && kind !== RECORD_KINDS.rewritten) return undefined;
  const payloadBytes = bytes.readUInt32BE(at + PAYLOAD_BYTES_AT);
  if (from + payloadBytes > bytes.length) return undefined;
  const payloadChecksum = bytes.readUInt32BE(at + PAYLOAD_CHECKSUM_AT);
  const header = { payloadBytes, payloadChecksum };
  return payloadIsWhole(bytes, at, header) ? bytes.subarray(from, from + payloadBytes) : undefined;
}
