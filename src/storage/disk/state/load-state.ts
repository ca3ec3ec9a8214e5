import { type LogPosition, NO_POSITION, type ShardId } from "../../../core/model/ids.ts";
import type { LoadedState } from "./disk-state-store.ts";
import { FileLedger } from "./file-ledger.ts";
import { FileWriter } from "./file-writer.ts";
import { GenerationTable } from "./generation-table.ts";
import {
  DAMAGED_COUNT,
  decodeHead,
  decodeSummary,
  HEAD_KEY,
  ownerOf,
  storedChecksum,
  summaryBounds,
} from "./record-format.ts";
import type { StateFile } from "./state-file.ts";
import { StateLostError } from "./state-lost-error.ts";

/**
 * Reads the books of the file.
 *
 * @param damaged shards of which something was found damaged before, and what.
 * @throws StateLostError if the books themselves are damaged.
 */
export function loadState(file: StateFile, damaged: ReadonlyMap<ShardId, string>): LoadedState {
  const generations = new GenerationTable();
  const known = new Map(damaged);
  const ledger = new FileLedger();
  const { from, to } = summaryBounds();
  for (const { key, record } of file.entries(from, to)) {
    const summary = decodeSummary(key, record);
    if (summary === undefined) throw new StateLostError("a summary fails its check");
    const { shard, generation } = ownerOf(key);
    generations.load(shard, generation, summary.isCurrent);
    if (summary.isCurrent && summary.count === DAMAGED_COUNT) {
      known.set(shard, "it was found damaged before");
    }
    ledger.load(shard, generation, summary, storedChecksum(record));
  }
  const found = file.get(HEAD_KEY);
  const head = found && decodeHead(found);
  if (found !== undefined && head === undefined) {
    throw new StateLostError("the head fails its check");
  }
  if (!ledger.agreesWith(head ?? { position: NO_POSITION, count: 0, sum: 0 })) {
    throw new StateLostError("summaries are missing, or are not those that were written last");
  }
  return {
    file,
    writer: new FileWriter(file, ledger, generations),
    generations,
    position: (head?.position ?? NO_POSITION) as LogPosition,
    damaged: known,
  };
}
