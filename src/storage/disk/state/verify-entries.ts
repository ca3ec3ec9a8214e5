import type { Environment } from "../../../core/contracts/environment.ts";
import { NODE_SHARD } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import {
  addToSum,
  decodeSummary,
  EMPTY_SUM,
  ENTRY_TABLE,
  ownerOf,
  SHARD_AT,
  SPACE_AT,
  type Summary,
  storedChecksum,
  summaryBounds,
  unsealed,
} from "./record-format.ts";
import type { StateFile } from "./state-file.ts";

/** Entries between two breaths of the event loop. */
const SLICE_ENTRIES = 5_000;

interface Tally {
  readonly shard: ShardId;
  count: number;
  sum: number;
  failing: number;
}

/**
 * Reads every entry, checks it, and compares numbers and sums with the books. Answers the shards
 * whose current generation is damaged, with what is wrong: what is missing, doubled or changed is
 * found whatever it was.
 */
export async function verifyEntries(
  file: StateFile,
  environment: Environment,
): Promise<ReadonlyMap<ShardId, string>> {
  const tallies = new Map<string, Tally>();
  const snapshot = file.snapshot();
  try {
    const entries = file.entries(Uint8Array.of(ENTRY_TABLE), Uint8Array.of(255), snapshot);
    let last: Tally | undefined;
    let lastOwner: Uint8Array | undefined;
    let untilBreath = SLICE_ENTRIES;
    for (const { key, record } of entries) {
      if (last === undefined || lastOwner === undefined || !isSameOwner(key, lastOwner)) {
        last = tallyOf(tallies, key);
        lastOwner = key;
      }
      last.count += 1;
      last.sum = addToSum(last.sum, storedChecksum(record) ?? 0);
      if (unsealed(key, record) === undefined) last.failing += 1;
      untilBreath -= 1;
      if (untilBreath > 0) continue;
      untilBreath = SLICE_ENTRIES;
      await new Promise<void>((resolve) => environment.soon(resolve));
    }
  } finally {
    snapshot.close();
  }
  return compare(file, tallies);
}

function compare(file: StateFile, tallies: Map<string, Tally>): ReadonlyMap<ShardId, string> {
  const damaged = new Map<ShardId, string>();
  const { from, to } = summaryBounds();
  for (const { key, record } of file.entries(from, to)) {
    const tally = tallies.get(ownerName(key));
    tallies.delete(ownerName(key));
    const summary = decodeSummary(key, record);
    // A summary that fails its check is found when the books are read.
    if (summary === undefined || !summary.isCurrent) continue;
    const wrong = difference(summary, tally);
    if (wrong !== undefined) damaged.set(ownerOf(key).shard, wrong);
  }
  for (const { shard } of tallies.values()) damaged.set(shard, "it has entries that no book knows");
  return damaged;
}

function difference(summary: Summary, tally: Tally | undefined): string | undefined {
  const { count, sum, failing } = tally ?? { count: 0, sum: EMPTY_SUM, failing: 0 };
  if (failing > 0) return `${failing} of its ${count} entries fail their check`;
  if (count !== summary.count) return `it has ${count} entries, and should have ${summary.count}`;
  return sum === summary.sum ? undefined : "some of its entries are not those written last";
}

function tallyOf(tallies: Map<string, Tally>, key: Uint8Array): Tally {
  const name = ownerName(key);
  let tally = tallies.get(name);
  if (tally === undefined) {
    // A key that is cut short belongs to nobody; the node's own shard stands for it.
    const shard = key.length < SPACE_AT ? NODE_SHARD : ownerOf(key).shard;
    tally = { shard, count: 0, sum: EMPTY_SUM, failing: 0 };
    tallies.set(name, tally);
  }
  return tally;
}

function ownerName(key: Uint8Array): string {
  return Buffer.from(key.subarray(SHARD_AT, SPACE_AT)).toString("latin1");
}

function isSameOwner(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = SHARD_AT; at < SPACE_AT; at += 1) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}
