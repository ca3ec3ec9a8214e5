import type { Generation } from "../../../core/contracts/storage.ts";
import { type LogPosition, NO_POSITION, type ShardId } from "../../../core/model/ids.ts";
import {
  addToSum,
  decodeHead,
  decodeSummary,
  EMPTY_SUM,
  HEAD_KEY,
  ownerOf,
  type Summary,
  storedChecksum,
  summaryBounds,
} from "./record-format.ts";
import type { StateFile } from "./state-file.ts";
import { StateLostError } from "./state-lost-error.ts";

/** One generation that has entries in the file, or had, or is current. */
export interface BookedGeneration extends Summary {
  readonly shard: ShardId;
  readonly generation: Generation;
  /** The checksum of its summary. */
  readonly stored: number;
}

/** What a file says that it holds. */
export interface Books {
  readonly position: LogPosition;
  readonly generations: readonly BookedGeneration[];
}

/**
 * Reads the books of the file: the head, and the summaries that it counts.
 *
 * @throws StateLostError if any of them is damaged or missing: then nobody knows what else is.
 */
export function readBooks(file: StateFile): Books {
  const generations: BookedGeneration[] = [];
  let sum = EMPTY_SUM;
  const { from, to } = summaryBounds();
  for (const { key, record } of file.entries(from, to)) {
    const summary = decodeSummary(key, record);
    if (summary === undefined) throw new StateLostError("a summary fails its check");
    const stored = storedChecksum(record);
    generations.push({ ...summary, ...ownerOf(key), stored });
    sum = addToSum(sum, stored);
  }
  const found = file.get(HEAD_KEY);
  const head =
    found === undefined ? { position: NO_POSITION, count: 0, sum: EMPTY_SUM } : decodeHead(found);
  if (head === undefined) throw new StateLostError("the head fails its check");
  if (head.count !== generations.length || head.sum !== sum) {
    throw new StateLostError("summaries are missing, or are not those that were written last");
  }
  return { position: head.position as LogPosition, generations };
}
