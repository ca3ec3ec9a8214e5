import type { Environment } from "../../../core/contracts/environment.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import { FileLedger } from "./file-ledger.ts";
import { readBooks } from "./read-books.ts";
import { generationBounds, storedChecksum } from "./record-format.ts";
import type { FileOperation, StateFile } from "./state-file.ts";

/** Entries of one write. */
const SLICE_ENTRIES = 5_000;

/**
 * Copies what is sound from a file with damaged pages to a new one: going on with the old one would
 * damage more. Shards in `damaged` are marked as given up there, and stay fenced until a switch; an
 * entry under a key of nobody has been one of theirs. Durable when it settles.
 *
 * @throws StateLostError if the books are damaged too: nobody knows what else is missing then.
 */
export async function salvageState(
  from: StateFile,
  to: StateFile,
  damaged: ReadonlyMap<ShardId, string>,
  environment: Environment,
): Promise<void> {
  const books = readBooks(from);
  const ledger = new FileLedger();
  let operations: FileOperation[] = [];
  const write = async (): Promise<void> => {
    operations.push(...ledger.closeBooks(books.position));
    await to.write(operations);
    operations = [];
    await new Promise<void>((resolve) => environment.soon(resolve));
  };
  for (const { shard, generation, isCurrent } of books.generations) {
    if (!isCurrent) continue;
    if (damaged.has(shard)) {
      ledger.giveUp(shard, generation);
    } else {
      // It has a summary also where it is empty: the numbers of generations never fall.
      ledger.begin(shard, generation);
      const { from: first, to: end } = generationBounds(shard, generation);
      for (const entry of from.entries(first, end)) {
        operations.push(entry);
        ledger.change(shard, generation, undefined, storedChecksum(entry.record));
        if (operations.length >= SLICE_ENTRIES) await write();
      }
    }
    ledger.settle(shard, generation, () => false);
  }
  await write();
}
