import type { DiskFile } from "../disk.ts";
import type { BatchHeader } from "./batch-format.ts";
import { FileWindow } from "./file-window.ts";
import { visitHeaders } from "./segment-scan.ts";

/** A segment file as it was found. */
export interface FoundSegment {
  readonly file: DiskFile;
  readonly number: number;
  readonly bytes: number;
  /** From its header; undefined if that is broken. */
  readonly logId: number | undefined;
  /** Greatest generation of any batch in it: what it was last used as. 0 if it has none. */
  generation: number;
}

/**
 * What all headers together say, before any of them is believed.
 */
export interface LogCensus {
  readonly logId: number | undefined;
  /** All batches up to this one were once on stable storage. */
  readonly mark: number;
  readonly epoch: number;
  readonly generation: number;
  /** Whether the batch was cut: a later epoch began at or before it. */
  isStale(header: BatchHeader): boolean;
}

/** Reads every segment once, and puts down the generation of each. */
export async function takeCensus(segments: readonly FoundSegment[]): Promise<LogCensus> {
  let logId = mostFrequent(segments.map((segment) => segment.logId));
  const epochStarts = new Map<number, number>();
  let mark = 0;
  for (const segment of segments) {
    await visitHeaders(new FileWindow(segment.file, segment.bytes), (header) => {
      logId ??= header.logId;
      if (header.logId !== logId) return;
      mark = Math.max(mark, header.mark);
      segment.generation = Math.max(segment.generation, header.generation);
      epochStarts.set(header.epoch, header.epochStart);
    });
  }
  const starts = [...epochStarts].sort(([a], [b]) => a - b);
  const generation = segments.reduce((most, each) => Math.max(most, each.generation), 0);
  const epoch = starts.at(-1)?.[0] ?? 0;
  return { logId, mark, epoch, generation, isStale: staleness(starts) };
}

/** `starts` are [epoch, first batch], by epoch. */
function staleness(
  starts: readonly (readonly [number, number])[],
): (header: BatchHeader) => boolean {
  const earliestAfter = new Map<number, number>();
  let earliest = Number.POSITIVE_INFINITY;
  for (const [epoch, start] of starts.toReversed()) {
    earliestAfter.set(epoch, earliest);
    earliest = Math.min(earliest, start);
  }
  return ({ epoch, sequence }) => sequence >= (earliestAfter.get(epoch) ?? 0);
}

function mostFrequent(ids: readonly (number | undefined)[]): number | undefined {
  const counts = new Map<number, number>();
  let best: number | undefined;
  for (const id of ids) {
    if (id === undefined) continue;
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    if (best === undefined || count > (counts.get(best) ?? 0)) best = id;
  }
  return best;
}
