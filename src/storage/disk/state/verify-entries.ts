import type { Environment } from "../../../core/contracts/environment.ts";
import { NODE_SHARD } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import { saysDamage } from "./lmdb-errors.ts";
import {
  addToSum,
  DAMAGED_COUNT,
  decodeSummary,
  EMPTY_SUM,
  ENTRY_TABLE,
  isUnderItsKey,
  ownerOf,
  SHARD_AT,
  SPACE_AT,
  type Summary,
  storedChecksum,
  summaryBounds,
  trueChecksum,
} from "./record-format.ts";
import type { StateFile } from "./state-file.ts";

/** Entries between two breaths of the event loop. */
const SLICE_ENTRIES = 5_000;

interface Tally {
  readonly shard: ShardId;
  count: number;
  /** Of the checksums as they stand there, and as they should be. */
  storedSum: number;
  trueSum: number;
  /** Entries whose value was changed, and those that are not under their key. */
  changed: number;
  misplaced: number;
  /** Entries that only the way from key to key leads to, and not the one from the root. */
  hidden: number;
}

const NOTHING: Tally = Object.freeze({
  shard: NODE_SHARD,
  count: 0,
  storedSum: EMPTY_SUM,
  trueSum: EMPTY_SUM,
  changed: 0,
  misplaced: 0,
  hidden: 0,
});

/**
 * Reads every entry, checks it, and compares numbers and sums with the books. Answers the shards
 * whose current generation is damaged as a whole, with what is wrong: what is missing, doubled or
 * old is found whatever it was. Entries whose value alone was changed are told where they are read.
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
      const stored = storedChecksum(record);
      const computed = trueChecksum(key, record);
      last.storedSum = addToSum(last.storedSum, stored);
      last.trueSum = addToSum(last.trueSum, computed);
      if (!isUnderItsKey(key, record)) last.misplaced += 1;
      else if (stored !== computed) last.changed += 1;
      if (!canBeFound(file, key)) last.hidden += 1;
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

/**
 * Undefined also where values were changed, and nothing else: whoever reads one of them is told,
 * and all others can be had. Where one of them was hit in its checksum, the sum of what the
 * checksums should be is the right one.
 */
function difference(summary: Summary, tally: Tally | undefined): string | undefined {
  if (summary.count === DAMAGED_COUNT) return "it was found damaged before";
  const { count, storedSum, trueSum, changed, misplaced, hidden } = tally ?? NOTHING;
  if (hidden > 0) return `${hidden} of its ${count} entries cannot be found`;
  if (misplaced > 0) return `${misplaced} of its ${count} entries are not under their key`;
  if (count !== summary.count) return `it has ${count} entries, and should have ${summary.count}`;
  const isSame = storedSum === summary.sum || (changed > 0 && trueSum === summary.sum);
  return isSame ? undefined : "some of its entries are not those written last";
}

function canBeFound(file: StateFile, key: Uint8Array): boolean {
  try {
    return file.checksumOf(key) !== undefined;
  } catch (error) {
    if (saysDamage(error)) return false;
    throw error;
  }
}

function tallyOf(tallies: Map<string, Tally>, key: Uint8Array): Tally {
  const name = ownerName(key);
  let tally = tallies.get(name);
  if (tally === undefined) {
    // A key that is cut short belongs to nobody; the node's own shard stands for it.
    const shard = key.length < SPACE_AT ? NODE_SHARD : ownerOf(key).shard;
    tally = { ...NOTHING, shard };
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
