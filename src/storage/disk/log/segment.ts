import type { DiskFile } from "../disk.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-format.ts";

/** One file of the log, in use or waiting for it. */
export class Segment {
  readonly file: DiskFile;
  readonly bytes: number;
  /** Which use of a file this is; no two uses of any files have one number. 0 while it waits. */
  generation = 0;
  /** Sequence of its first batch. */
  firstSequence = 0;
  /** Where the next batch goes. */
  end = SEGMENT_HEADER_BYTES;
  /** Bytes of records in it that are still needed. */
  live = 0;
  /** Reads under way; the file is not written anew while there are any. */
  readers = 0;

  constructor(file: DiskFile, bytes: number) {
    this.file = file;
    this.bytes = bytes;
  }

  /** The file begins a new life; whatever is in it is of an older generation from now on. */
  activate(generation: number, firstSequence: number): void {
    this.generation = generation;
    this.firstSequence = firstSequence;
    this.end = SEGMENT_HEADER_BYTES;
    this.live = 0;
  }
}

/** Where a batch is. Records refer to it, and count in it for as long as they are needed. */
export interface Extent {
  /** Undefined until it is written. */
  segment: Segment | undefined;
  /** Of the batch's first byte in the segment. */
  offset: number;
  /** What the checksums of its records begin with. */
  readonly seed: number;
  /** Bytes of its records that are still needed. */
  live: number;
  /** The batch in memory, until it is written. */
  memory: Uint8Array | undefined;
}

export function addLive(extent: Extent, bytes: number): void {
  extent.live += bytes;
  if (extent.segment !== undefined) extent.segment.live += bytes;
}
