import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

const NODES = ["n1", "n2", "n3"];

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

/** Two of three come back with nothing: what they had, nobody but the third may still have. */
async function openLost() {
  const keyspaces = { default: { strategy: "raft", shards: 1 } };
  const cluster = await open({ keyspaces, persistent: true });
  const survivor = NODES.find((id) => shardOf(cluster, id).role !== "leader") as string;
  await cluster.until(cluster.keyspace(survivor).put("a", 1));
  await cluster.advance(500);
  const lost = NODES.filter((id) => id !== survivor);
  const before = cluster.disks.get(lost[0] as string) as PersistentMemoryDisk;
  for (const id of lost) {
    cluster.kill(id, { killed: true });
    cluster.disks.set(id, new PersistentMemoryDisk());
  }
  for (const id of lost) await cluster.restart(id);
  await cluster.waitFor(() => shardOf(cluster, survivor).quorumLost === true);
  return { cluster, survivor, lost: lost[0] as string, before };
}

describe("a shard of which a majority of the replicas has lost its store", () => {
  test("refuses writes, strong reads and scans at once, at every node, and truly", async () => {
    const { cluster, survivor, lost } = await openLost();
    for (const id of [survivor, lost]) {
      const keyspace = cluster.keyspace(id);
      const startMs = cluster.time.nowMs;
      const faults = [
        await faultOf(cluster, keyspace.put("a", 2)),
        await faultOf(cluster, keyspace.get("a")),
        await faultOf(cluster, keyspace.get("a", { consistency: "lease" })),
        await faultOf(cluster, keyspace.scan()[Symbol.asyncIterator]().next()),
      ];
      for (const { code, outcome, message } of faults) {
        expect({ code, outcome }).toEqual({ code: "QUORUM_LOST", outcome: "not-applied" });
        expect(message).toContain("shard 0");
        expect(message).toContain("`capstan members recover`");
      }
      expect(cluster.time.nowMs - startMs).toBeLessThan(2_000);
    }
  });

  test("goes on serving what is left to those who ask for no more", async () => {
    const { cluster, survivor, lost } = await openLost();
    for (const id of [survivor, lost]) {
      const read = cluster.keyspace(id).get("a", { consistency: "stale" });
      expect(await cluster.until(read)).toMatchObject({ value: 1 });
    }
  });

  test("goes on when one of the stores is back", async () => {
    const { cluster, survivor, lost, before } = await openLost();
    cluster.kill(lost);
    cluster.disks.set(lost, before);
    await cluster.restart(lost);
    await cluster.waitFor(() => shardOf(cluster, survivor).quorumLost === false);
    await cluster.until(cluster.keyspace(survivor).put("a", 2));
    expect(await cluster.until(cluster.keyspace(lost).get("a"))).toMatchObject({ value: 2 });
  });

  test("says unknown of a write of which a copy may be in a log", async () => {
    const keyspaces = { default: { strategy: "raft", shards: 1 } };
    const cluster = await open({ keyspaces, persistent: true });
    const leads = (id: string) => shardOf(cluster, id).role === "leader";
    await cluster.waitFor(() => NODES.some(leads));
    const leader = NODES.find(leads) as string;
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    const lost = NODES.filter((id) => id !== leader);
    for (const id of lost) {
      cluster.kill(id);
      cluster.disks.set(id, new PersistentMemoryDisk());
    }
    const writing = faultOf(cluster, cluster.keyspace(leader).put("a", 2, { timeoutMs: 30_000 }));
    for (const id of lost) await cluster.restart(id);
    const { code, outcome, operationId } = await writing;
    expect({ code, outcome }).toEqual({ code: "QUORUM_LOST", outcome: "unknown" });
    expect(operationId).toBeTypeOf("string");
  });
});
