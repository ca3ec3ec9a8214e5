import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open, waitUntilServing } from "../support/cluster-calls.ts";
import type { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

function diskOf(cluster: Cluster, id: string): PersistentMemoryDisk {
  return cluster.disks.get(id) as PersistentMemoryDisk;
}

function write(cluster: Cluster, from: number, to: number, level: "quorum" | "all") {
  return cluster.until(
    Promise.all(
      Array.from({ length: to - from }, (_, at) =>
        cluster.keyspace("n1").put(`key-${from + at}`, from + at, { consistency: level }),
      ),
    ),
  );
}

/** The node has found that its data is a copy, and has stopped; its next start is another store. */
async function expectDisowned(cluster: Cluster, id: string): Promise<void> {
  const { store, events } = cluster.node(id);
  await cluster.waitFor(() => events.some(({ type }) => type === "failed"));
  expect(events.find(({ type }) => type === "failed")).toMatchObject({ code: "DATA_DISOWNED" });
  expect(store.describe().state).toBe("failed");
  const { storeId } = store.describe();
  await cluster.stop(id);
  await cluster.restart(id);
  expect(cluster.node(id).store.describe().storeId).not.toBe(storeId);
  await waitUntilServing(cluster, id);
}

/** Every pair of nodes has all of it, the one that was a copy included. */
async function expectAll(cluster: Cluster, count: number): Promise<void> {
  for (const id of cluster.ids) {
    for (let n = 0; n < count; n += 7) {
      const reading = cluster.keyspace(id).get(`key-${n}`, { consistency: "one" });
      expect(await cluster.until(reading)).toMatchObject({ value: n });
    }
  }
}

describe("an older copy of a node's data in its place", () => {
  test("is recognised, set aside and rebuilt; no acknowledged write is lost", async () => {
    const cluster = await open({ persistent: true });
    await write(cluster, 0, 20, "all");
    await cluster.advance(300);
    await cluster.stop("n3");
    const copy = diskOf(cluster, "n3").copy();
    await cluster.restart("n3");
    await cluster.ready();
    // n2 misses these: n1 and n3 alone have them.
    cluster.isolate("n2");
    await cluster.waitUntilReachable("n1", ["n3"]);
    await write(cluster, 20, 40, "quorum");
    await cluster.advance(300);
    cluster.network.heal();
    cluster.kill("n3");
    cluster.disks.set("n3", copy);
    await cluster.restart("n3");
    await expectDisowned(cluster, "n3");
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const read = cluster.keyspace("n3").get("key-30", { consistency: "one" });
    expect(await cluster.until(read)).toMatchObject({ value: 30 });
  });

  test("also if it was taken while the node ran, and has the same start", async () => {
    const cluster = await open({ persistent: true });
    await write(cluster, 0, 20, "all");
    const copy = diskOf(cluster, "n3").copy();
    await write(cluster, 20, 40, "all");
    // Until the peers have heard how far it has come.
    await cluster.advance(300);
    cluster.kill("n3");
    cluster.disks.set("n3", copy);
    await cluster.restart("n3");
    await expectDisowned(cluster, "n3");
    await expectAll(cluster, 40);
  });

  test("also after all nodes were restarted", async () => {
    const cluster = await open({ persistent: true });
    await write(cluster, 0, 20, "all");
    const copy = diskOf(cluster, "n3").copy();
    await write(cluster, 20, 140, "all");
    await cluster.advance(1_500);
    const before = cluster.ids.map((id) => diskOf(cluster, id).log.entries.length);
    await cluster.advance(10_000);
    // Nodes with nothing to do write nothing about each other.
    expect(cluster.ids.map((id) => diskOf(cluster, id).log.entries.length)).toEqual(before);
    for (const id of cluster.ids) cluster.kill(id);
    cluster.disks.set("n3", copy);
    for (const id of cluster.ids) await cluster.restart(id);
    await expectDisowned(cluster, "n3");
    await expectAll(cluster, 140);
  });

  test("nothing that was acknowledged by the copy's peers is answered by the copy", async () => {
    const cluster = await open({ persistent: true });
    await write(cluster, 0, 1, "all");
    const copy = diskOf(cluster, "n3").copy();
    await cluster.until(cluster.keyspace("n1").put("key-0", "newer", { consistency: "all" }));
    await cluster.advance(300);
    cluster.kill("n3");
    cluster.disks.set("n3", copy);
    await cluster.restart("n3");
    for (let n = 0; n < 20; n++) {
      const reading = cluster.keyspace("n1").get("key-0", { consistency: "quorum" });
      expect(await cluster.until(reading)).toMatchObject({ value: "newer" });
    }
  });
});

describe("what is no copy", () => {
  test("a node that lost what it had not synced, in a power cut, goes on as who it was", async () => {
    const cluster = await open({
      persistent: true,
      keyspaces: { default: { durability: "os" } },
    });
    for (let round = 0; round < 3; round++) {
      await write(cluster, 20 * round, 20 * (round + 1), "all");
      const { storeId } = cluster.node("n3").store.describe();
      // Heartbeats pass in which the newest writes are not synced yet.
      await cluster.advance(60);
      cluster.kill("n3");
      await cluster.restart("n3");
      await waitUntilServing(cluster, "n3");
      expect(cluster.node("n3").store.describe().storeId).toBe(storeId);
    }
  });

  test("restarts of every kind, in any order, of nodes that keep their data", async () => {
    const cluster = await open({ persistent: true });
    const storeIds = cluster.ids.map((id) => cluster.node(id).store.describe().storeId);
    for (let round = 0; round < 6; round++) {
      await write(cluster, 20 * round, 20 * (round + 1), "all");
      const id = cluster.ids[round % 3] as string;
      if (round % 2 === 0) cluster.kill(id, { killed: round % 4 === 0 });
      else await cluster.stop(id);
      await cluster.advance(100);
      await cluster.restart(id);
      await cluster.ready();
    }
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.restart(id);
    await cluster.ready();
    expect(cluster.ids.map((id) => cluster.node(id).store.describe().storeId)).toEqual(storeIds);
    await expectAll(cluster, 120);
  });
});
