import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import {
  BATCH_HEADER_BYTES,
  BATCH_HEADER_MAGIC,
  decodeHeader,
} from "../../src/storage/disk/log/batch-format.ts";
import { SEGMENT_HEADER_BYTES, segmentNumber } from "../../src/storage/disk/log/segment-format.ts";

/** The files of a log, each with the number of its use; 0 of one that waits for its first. */
export type SegmentGenerations = Readonly<Record<string, number>>;

/** @param folder The log's, of a node that may be running: files come and go meanwhile. */
export function segmentGenerations(folder: string): SegmentGenerations {
  const names = readdirSync(folder).filter((name) => segmentNumber(name) !== undefined);
  return Object.fromEntries(
    names.flatMap((name) => {
      const generation = generationIn(join(folder, name));
      return generation === undefined ? [] : [[name, generation]];
    }),
  );
}

/**
 * How often a file was used again after one use, from look to look. No file is named like an earlier
 * one, so that each of these is one; what happened to a file twice between two looks counts once.
 */
export function usesAgain(looks: readonly SegmentGenerations[]): number {
  const known = new Map<string, number>();
  let again = 0;
  for (const look of looks) {
    for (const [name, generation] of Object.entries(look)) {
      const before = known.get(name) ?? 0;
      if (before > 0 && generation > before) again += 1;
      known.set(name, Math.max(before, generation));
    }
  }
  return again;
}

function generationIn(path: string): number | undefined {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    readSync(file, bytes, 0, bytes.length, SEGMENT_HEADER_BYTES);
  } finally {
    closeSync(file);
  }
  return decodeHeader(bytes, 0, BATCH_HEADER_MAGIC)?.generation ?? 0;
}
