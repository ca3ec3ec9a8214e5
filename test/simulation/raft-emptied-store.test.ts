import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

/** Each sync takes so long that the power can fail before any one of the records that it is for. */
const SYNC_MS = 20;
/** Long enough for an empty store to be taken in, and given a vote. */
const UNTIL_VOTER_MS = 4_000;
/** Of the shard's birth: as every voter is named by its node alone. */
const BORN_WITH = "n1 n2 n3";

/** What the replica of an emptied node takes itself for, hearing nobody, after a power cut. */
type Standing = "not in the cluster" | "nobody" | "voter of its birth" | "taken in";

function shardOf(cluster: Cluster): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace("n3").describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

function standingOf(cluster: Cluster): Standing {
  const { state, isVoter, configuration } = shardOf(cluster);
  if (state === "closed") return "not in the cluster";
  if (isVoter !== true) return "nobody";
  return configuration === BORN_WITH ? "voter of its birth" : "taken in";
}

/**
 * An empty n3 joins the others, and its power fails when `records` of what it writes are on its
 * disk, and none behind. Undefined if it does not write as many until it has a vote.
 */
async function standingAfter(records: number): Promise<Standing | undefined> {
  const cluster = await open({
    keyspaces: { default: { strategy: "raft", shards: 1 } },
    persistent: true,
  });
  cluster.kill("n3");
  const disk = new PersistentMemoryDisk();
  disk.log.syncMs = SYNC_MS;
  cluster.disks.set("n3", disk);
  await cluster.restart("n3");
  const endMs = cluster.time.nowMs + UNTIL_VOTER_MS;
  while (disk.log.entries.length < records) {
    if (cluster.time.nowMs > endMs) return undefined;
    await cluster.advance(1);
  }
  expect(disk.log.synced).toBeLessThanOrEqual(records);
  disk.crash({ logEntries: records - disk.log.synced });
  cluster.kill("n3");
  expect(disk.log.entries).toHaveLength(records);
  cluster.isolate("n3");
  await cluster.restart("n3");
  await cluster.advance(10);
  return standingOf(cluster);
}

// Its data looked like what it had always had, and with an empty log it took itself for a voter of
// the shard's birth: what the others had acknowledged with its old self was lost.
test("an emptied store whose power fails while it joins never takes itself for a voter of the birth", {
  timeout: 60_000,
}, async () => {
  const standings: Standing[] = [];
  for (let records = 0; ; records += 1) {
    const standing = await standingAfter(records);
    if (standing === undefined) break;
    standings.push(standing);
  }
  expect(standings).not.toContain("voter of its birth");
  expect([...new Set(standings)]).toEqual(["not in the cluster", "nobody", "taken in"]);
});
