import { crc32 } from "node:zlib";
import { CapstanError } from "../../../core/model/errors.ts";
import { asBuffer } from "./as-buffer.ts";

/** Where the first batch of a segment begins: a sector of its own for the header. */
export const SEGMENT_HEADER_BYTES = 512;

/** Of the segment files and all that is in them. */
const LOG_FORMAT_VERSION = 1;

const MAGIC = Buffer.from("CAPSTLOG", "latin1");
const ENCODED_BYTES = 24;
const NAME_PATTERN = /^(\d{10})\.segment$/;

/** Written once, when the file has its size and is filled with zeros, and never changed. */
export interface SegmentHeader {
  readonly logId: number;
  readonly segmentBytes: number;
}

export function segmentName(number: number): string {
  return `${String(number).padStart(10, "0")}.segment`;
}

/** The number in a segment's name; undefined if the file is none. */
export function segmentNumber(name: string): number | undefined {
  const digits = NAME_PATTERN.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(LOG_FORMAT_VERSION, 8);
  bytes.writeUInt32BE(header.logId, 12);
  bytes.writeUInt32BE(header.segmentBytes, 16);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 20)), 20);
  return bytes;
}

/**
 * Undefined if it is not whole: a file that was never finished, or damage.
 *
 * @throws CapstanError `STORE_FAILED` for a whole header of a version that this code cannot read.
 */
export function decodeSegmentHeader(source: Uint8Array, path: string): SegmentHeader | undefined {
  const bytes = asBuffer(source);
  if (bytes.length < ENCODED_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 20)) !== bytes.readUInt32BE(20)) return undefined;
  const version = bytes.readUInt32BE(8);
  if (version !== LOG_FORMAT_VERSION) {
    throw new CapstanError(
      "STORE_FAILED",
      `${path} has log format version ${version}; this release reads version ${LOG_FORMAT_VERSION}`,
      { allowed: [LOG_FORMAT_VERSION], details: { path, found: version } },
    );
  }
  return { logId: bytes.readUInt32BE(12), segmentBytes: bytes.readUInt32BE(16) };
}
