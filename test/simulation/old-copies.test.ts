import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open, waitUntilServing } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

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

describe("a store that another one of its node has followed", () => {
  async function putAll(cluster: Cluster, keyspace: string, from: number, to: number) {
    const puts = Array.from({ length: to - from }, (_, at) =>
      cluster.keyspace("n1", keyspace).put(`key-${from + at}`, from + at),
    );
    await cluster.until(Promise.all(puts));
  }

  /** The node is started on an empty disk; what it had is given back. */
  async function emptied(cluster: Cluster, id: string): Promise<PersistentMemoryDisk> {
    await cluster.advance(1_500);
    await cluster.stop(id);
    const before = diskOf(cluster, id);
    cluster.disks.set(id, new PersistentMemoryDisk());
    await cluster.restart(id);
    return before;
  }

  async function restarted(cluster: Cluster, id: string, disk: PersistentMemoryDisk) {
    await cluster.stop(id);
    cluster.disks.set(id, disk);
    await cluster.restart(id);
  }

  test("counts with nobody before it has learned what that one has acknowledged", async () => {
    const cluster = await open({ persistent: true });
    await putAll(cluster, "default", 0, 20);
    const before = await emptied(cluster, "n3");
    await waitUntilServing(cluster, "n3");
    cluster.isolate("n2");
    await cluster.waitUntilReachable("n1", ["n3"]);
    await putAll(cluster, "default", 20, 40);
    await cluster.advance(300);
    // The one that has them is cut off; the other has met both stores, and has none of them.
    cluster.network.heal();
    cluster.isolate("n1");
    await restarted(cluster, "n3", before);
    await cluster.waitUntilReachable("n2", ["n3"]);
    await cluster.advance(5_000);
    const { events } = cluster.node("n3");
    const incomplete = events.find(({ type }) => type === "shards-incomplete");
    expect(incomplete?.reason).toBe("another store has stood in the place of this one");
    const reading = cluster.keyspace("n2").get("key-30", { consistency: "quorum" });
    expect(await faultOf(cluster, reading)).toMatchObject({ code: "UNAVAILABLE" });

    cluster.network.heal();
    await waitUntilServing(cluster, "n3");
    for (let n = 0; n < 40; n += 7) {
      const read = cluster.keyspace("n3").get(`key-${n}`, { consistency: "one" });
      expect(await cluster.until(read)).toMatchObject({ value: n });
    }
    expect(events.some(({ type }) => type === "writes-may-be-lost" || type === "failed")).toBe(
      false,
    );
  });

  test("counts once it has learned, though one that knows of it hears nothing any more", async () => {
    // The others are enough to learn from.
    const keyspaces = { default: { shards: 1, replicas: 5 } };
    const cluster = await open({ nodes: 5, persistent: true, keyspaces });
    await putAll(cluster, "default", 0, 20);
    const before = await emptied(cluster, "n3");
    await waitUntilServing(cluster, "n3");
    // Long enough for something to happen between the word that it was followed and its answer.
    before.log.syncMs = 200;
    await restarted(cluster, "n3", before);
    const { events } = cluster.node("n3");
    await cluster.waitFor(() => events.some(({ type }) => type === "shards-incomplete"));
    cluster.network.cutOneWay("n3", "n1");
    await waitUntilServing(cluster, "n3");
    expect(
      cluster
        .node("n3")
        .store.describe()
        .nodes.map(({ status }) => status),
    ).toEqual([...["unreachable", "active", "active", "active", "active"]]);
    for (let n = 0; n < 20; n += 7) {
      const read = cluster.keyspace("n3").get(`key-${n}`, { consistency: "quorum" });
      expect(await cluster.until(read)).toMatchObject({ value: n });
    }
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3", "n4", "n5"]);
  });

  test("is still a voter of raft if the other one never was", async () => {
    const keyspaces = { default: { strategy: "raft", shards: 1 } };
    const cluster = await open({ persistent: true, keyspaces });
    await putAll(cluster, "default", 0, 20);
    // Two of three are started on the wrong disks, so that nobody can be made a voter.
    cluster.isolate("n1");
    const disks = [await emptied(cluster, "n2"), await emptied(cluster, "n3")];
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const reading = cluster.keyspace("n1").get("key-3", { timeoutMs: 500 });
    await faultOf(cluster, reading);
    for (const [at, id] of ["n2", "n3"].entries()) {
      await restarted(cluster, id, disks[at] as PersistentMemoryDisk);
    }
    await cluster.ready();
    for (let n = 0; n < 20; n += 7) {
      const read = cluster.keyspace("n2").get(`key-${n}`, { consistency: "strong" });
      expect(await cluster.until(read)).toMatchObject({ value: n });
    }
  });
});
