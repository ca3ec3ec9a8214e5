import type { ShardId } from "../../../core/model/ids.ts";
import type { LoadedState } from "./disk-state-store.ts";
import { FileLedger } from "./file-ledger.ts";
import { FileWriter, type WriteSlice } from "./file-writer.ts";
import { GenerationTable } from "./generation-table.ts";
import { readBooks } from "./read-books.ts";
import { DAMAGED_COUNT } from "./record-format.ts";
import type { StateFile } from "./state-file.ts";

/**
 * Gets ready to go on where the file ends. `slice`: what a write handles at a time.
 *
 * @throws StateLostError if its books are damaged.
 */
export function loadState(file: StateFile, slice?: WriteSlice): LoadedState {
  const generations = new GenerationTable();
  const damaged = new Map<ShardId, string>();
  const ledger = new FileLedger();
  const books = readBooks(file);
  for (const found of books.generations) {
    generations.load(found.shard, found.generation, found.isCurrent);
    ledger.load(found);
    if (found.isCurrent && found.count === DAMAGED_COUNT) {
      damaged.set(found.shard, "it was found damaged, and its entries were set aside");
    }
  }
  const writer = new FileWriter(file, ledger, generations, slice);
  return { file, writer, generations, position: books.position, damaged };
}
