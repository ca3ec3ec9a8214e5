import { describe, expect, test } from "vitest";
import type { UnservedShards } from "../../src/core/model/shard-lack.ts";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

// What a node says of shards that do not serve, beside what becomes of operations there.

function unservedBy(cluster: Cluster, id: string): readonly UnservedShards[] {
  const [keyspace] = cluster.node(id).store.describe().keyspaces;
  return keyspace?.unserved ?? [];
}

/** n1 is left alone. */
async function openAlone(keyspace: Readonly<Record<string, unknown>>): Promise<Cluster> {
  const cluster = await open({ keyspaces: { default: { ...keyspace, shards: 4 } as never } });
  expect(unservedBy(cluster, "n1")).toEqual([]);
  for (const id of ["n2", "n3"]) cluster.isolate(id);
  await cluster.waitUntilReachable("n1", []);
  return cluster;
}

const ALL_SHARDS = [0, 1, 2, 3];
const MISSING = ["n2", "n3"];

describe("the shards that a node says do not serve", () => {
  test("on tunable: the levels that the replicas which it reaches cannot meet", async () => {
    const cluster = await openAlone({ strategy: "tunable" });
    const levels = ["two", "three", "quorum", "all", "local-quorum", "each-quorum", "strong"];
    expect(unservedBy(cluster, "n1")).toEqual([
      {
        ...{ shards: ALL_SHARDS, reason: "too-few-replicas", missing: MISSING, isHeld: true },
        ...{ reads: levels, writes: levels },
      },
    ]);
  });

  test("on dynamo: those that succeed below their level, and those that do not", async () => {
    const cluster = await openAlone({ strategy: "dynamo", resolver: "version-vector" });
    const lowered = ["two", "three", "quorum", "all", "local-quorum"];
    const shared = { shards: ALL_SHARDS, missing: MISSING, isHeld: true };
    expect(unservedBy(cluster, "n1")).toEqual([
      { ...shared, reason: "lowered", reads: lowered, writes: lowered },
      {
        ...{ ...shared, reason: "too-few-replicas" },
        ...{ reads: ["each-quorum"], writes: ["each-quorum"] },
      },
    ]);
    const { receipt } = await cluster.until(cluster.keyspace("n1").put("key", 1));
    expect(receipt.consistent).toBe(false);
  });

  test("on raft: all that needs a majority, and not what is read here", async () => {
    const cluster = await openAlone({ strategy: "raft" });
    await cluster.waitFor(() => unservedBy(cluster, "n1")[0]?.shards.length === 4);
    const [unserved, ...others] = unservedBy(cluster, "n1");
    expect(others).toEqual([]);
    expect(unserved).toMatchObject({ reason: "too-few-replicas", missing: MISSING, isHeld: true });
    expect(unserved?.reads).toEqual(expect.arrayContaining(["strong", "lease", "follower"]));
    expect(unserved?.writes).toEqual(expect.arrayContaining(["strong"]));
    expect([...(unserved?.reads ?? [])]).not.toContain("stale");
  });

  test("on raft: whose stores are lost, though every node is there", async () => {
    const keyspaces = { default: { strategy: "raft", shards: 1 } };
    const cluster = await open({ keyspaces, persistent: true });
    await cluster.until(cluster.keyspace("n1").put("key", 1));
    for (const id of MISSING) {
      cluster.kill(id, { killed: true });
      cluster.disks.set(id, new PersistentMemoryDisk());
    }
    for (const id of MISSING) await cluster.restart(id);
    await cluster.waitFor(() => unservedBy(cluster, "n1")[0]?.reason === "quorum-lost");
    expect(unservedBy(cluster, "n1")[0]).toMatchObject({
      ...{ shards: [0], missing: MISSING, isHeld: true },
      logEnds: [{ shard: 0, term: expect.any(Number), index: expect.any(Number) }],
    });
    const { shards } = cluster.keyspace("n1").describe() as { shards: { lastIndex: number }[] };
    expect(unservedBy(cluster, "n1")[0]?.logEnds?.[0]?.index).toBe(shards[0]?.lastIndex);
    const statuses = cluster
      .node("n1")
      .store.describe()
      .nodes.map(({ status }) => status);
    expect(statuses).toEqual(["active", "active", "active"]);
  });

  test("on raft: also where a node that is left was the last that led, as others had said", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 5, shards: 1 } };
    const cluster = await open({ keyspaces, nodes: 5 });
    const roleOf = (id: string): unknown => {
      const { shards } = cluster.keyspace(id).describe() as { shards: { role: string }[] };
      return shards[0]?.role;
    };
    await cluster.waitFor(() => cluster.ids.some((id) => roleOf(id) === "leader"));
    const leader = cluster.ids.find((id) => roleOf(id) === "leader") as string;
    const [asked, ...gone] = cluster.ids.filter((id) => id !== leader);
    await cluster.until(cluster.keyspace(asked as string).put("key", 1));
    for (const id of gone) cluster.kill(id);
    await cluster.waitUntilReachable(asked as string, [leader]);
    await cluster.advance(5_000);
    expect(unservedBy(cluster, asked as string)[0]).toMatchObject({
      ...{ shards: [0], reason: "too-few-replicas", missing: gone },
    });
    await expect(
      cluster.until(cluster.node(asked as string).store.ready({ timeoutMs: 100 })),
    ).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("on raft: by who holds a shard that was moved, also where the map would have a majority", async () => {
    const cluster = await open({ keyspaces: { default: { strategy: "raft", shards: 1 } } });
    const { admin } = cluster.node("n1").store;
    await cluster.until(
      admin.changeReplicas({ keyspace: "default", shard: 0, replicas: ["n1", "n2"] }),
    );
    expect(unservedBy(cluster, "n1")).toEqual([]);
    cluster.kill("n2");
    await cluster.waitUntilReachable("n1", ["n3"]);
    await cluster.advance(5_000);
    // With "no-leader" a recovery of all that need one would pass it by, and n3 saw nothing amiss.
    for (const [asked, isHeld] of [
      ["n1", true],
      ["n3", false],
    ] as const) {
      expect(unservedBy(cluster, asked)[0]).toMatchObject({
        ...{ shards: [0], reason: "too-few-replicas", missing: ["n2"], isHeld },
        reads: expect.arrayContaining(["strong", "lease"]),
      });
    }
  });

  test("says of a node without a copy that nothing can be recovered there", async () => {
    const keyspaces = { default: { strategy: "tunable", replicas: 1, shards: 2 } };
    const cluster = await open({ keyspaces, nodes: 2 });
    cluster.isolate("n2");
    await cluster.waitUntilReachable("n1", []);
    const [unserved, ...others] = unservedBy(cluster, "n1");
    expect(others).toEqual([]);
    expect(unserved).toMatchObject({ missing: ["n2"], isHeld: false });
    expect(unserved?.reads).toContain("one");
  });
});

describe("a node that comes back with nothing", () => {
  test("says of each of its copies that it is being rebuilt, until it is ready at all", async () => {
    const cluster = await open({ keyspaces: { default: { strategy: "tunable", shards: 2 } } });
    await cluster.until(cluster.keyspace("n1").put("key", 1, { consistency: "all" }));
    cluster.kill("n1", { killed: true });
    await cluster.restart("n1");
    const { store } = cluster.node("n1");
    // At its keyspaces' own levels: two of three are enough for a quorum.
    await cluster.until(store.ready());
    const rebuilt = unservedBy(cluster, "n1").find(({ reads }) => reads.includes("all"));
    expect(rebuilt).toMatchObject({ shards: [0, 1], reason: "too-few-replicas" });
    expect(rebuilt?.missing).toContain("n1");
    await cluster.until(store.ready({ level: "all" }));
    expect(unservedBy(cluster, "n1")).toEqual([]);
  });

  for (const strategy of ["tunable", "dynamo"]) {
    test(`says so to its peers, which begin nothing that needs it, until it is whole: ${strategy}`, async () => {
      const cluster = await openMemory(strategy);
      cluster.kill("n1", { killed: true });
      await cluster.restart("n1");
      await cluster.until(cluster.node("n1").store.ready());
      await cluster.advance(100);
      const [unserved] = unservedBy(cluster, "n2");
      expect(unserved).toMatchObject({ shards: [0, 1], missing: ["n1"] });
      await expect(cluster.until(putAtAll(cluster, "n2"))).rejects.toMatchObject({
        ...{ code: "UNAVAILABLE", outcome: "not-applied" },
      });
      await cluster.until(cluster.node("n2").store.ready({ level: "all" }));
      await cluster.until(putAtAll(cluster, "n2"));
    });

    // A quorum of memory is lost where the next one is restarted before the last one is whole.
    test(`is met by the ready of the next one that is restarted: ${strategy}`, async () => {
      const cluster = await openMemory(strategy);
      for (const id of ["n1", "n2"]) {
        cluster.kill(id, { killed: true });
        await cluster.restart(id);
        await cluster.until(cluster.node(id).store.ready());
      }
      const read = await cluster.until(cluster.keyspace("n2").get("key"));
      expect(read.receipt.consistent).toBe(true);
      for (const id of cluster.ids) {
        await cluster.until(cluster.node(id).store.ready({ level: "all" }));
        await cluster.until(putAtAll(cluster, id));
      }
    });
  }
});

function openMemory(strategy: string): Promise<Cluster> {
  const isDynamo = strategy === "dynamo";
  const policy = { resolver: "version-vector", partitionPolicy: "prefer-consistency" };
  return open({
    keyspaces: { default: { strategy, shards: 2, ...(isDynamo && policy) } as never },
  });
}

function putAtAll(cluster: Cluster, id: string): Promise<unknown> {
  return cluster.keyspace(id).put("key", 2, { consistency: "all" });
}
