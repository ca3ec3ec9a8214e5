import { afterEach, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";

let cluster: Cluster;
afterEach(() => cluster.close());

const rowsAt = async (node: string) => (await cluster.node(node).store.admin.replications()).rows;

describe("what a tunable keyspace tells of its writes", () => {
  it("names the replicas that hold each of them, late answers too", async () => {
    cluster = await Cluster.open();
    const keyspace = cluster.keyspace("n1");
    const { version } = await cluster.until(keyspace.put("k", 1, { consistency: "one" }));
    await cluster.until(keyspace.delete("k", { consistency: "all" }));
    await cluster.advance(50);
    const [deletion, put] = await rowsAt("n1");
    expect(put).toMatchObject({
      ...{ keyspace: "default", key: "k", operation: "put", version, writes: 1 },
      ...{ sourceNode: "n1", replicatedTo: ["n1", "n2", "n3"] },
    });
    expect(deletion).toMatchObject({ operation: "delete", replicatedTo: ["n1", "n2", "n3"] });
    expect(await rowsAt("n2")).toEqual([]);
  });

  it("leaves out the one that did not answer", async () => {
    cluster = await Cluster.open();
    cluster.network.cutOneWay("n1", "n3");
    await cluster.until(cluster.keyspace("n1").put("k", 1));
    await cluster.advance(1_000);
    await cluster.until(cluster.keyspace("n1").get("k"));
    await cluster.advance(1_000);
    expect(await rowsAt("n1")).toMatchObject([{ replicatedTo: ["n1", "n2"] }]);
  });

  it("tells of a write that lost to one that did not know of it", async () => {
    cluster = await Cluster.open({ skewsMs: [0, 1_000, 0] });
    const writes = ["n1", "n2"].map((id) =>
      cluster
        .keyspace(id)
        .put("k", id, { consistency: "all" })
        .catch((error: { readonly code: string }) => error.code),
    );
    const [lost] = await cluster.until(Promise.all(writes));
    expect(lost).toBe("SUPERSEDED");
    const { rows } = await cluster.node("n1").store.admin.conflicts();
    expect(rows).toMatchObject([{ key: "k", resolution: "lww", discarded: 1, node: "n1" }]);
    expect(rows[0]?.versions).toContain(rows[0]?.resolvedVersion);
    expect(cluster.node("n1").events).toContainEqual(
      expect.objectContaining({ type: "conflict", key: "k" }),
    );
  });
});

describe("what other strategies tell", () => {
  it("a raft leader tells of the batches that it has applied, and who has them", async () => {
    cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft" } } });
    for (const key of ["a", "b", "c"]) await cluster.until(cluster.keyspace("n1").put(key, 1));
    const tables = await Promise.all(cluster.ids.map(rowsAt));
    const rows = tables.flat();
    const leaders = new Set(rows.map(({ sourceNode }) => sourceNode));
    expect(leaders.size).toBe(1);
    expect(rows.reduce((sum, { writes }) => sum + writes, 0)).toBeGreaterThanOrEqual(3);
    for (const { sequences, writes, replicatedTo, sourceNode } of rows) {
      const [first, last] = sequences as readonly [number, number];
      expect(last - first + 1).toBe(writes);
      expect(replicatedTo.length).toBeGreaterThanOrEqual(2);
      expect(replicatedTo).toContain(sourceNode);
    }
  });

  it("a dynamo coordinator tells where its writes are, and replicas which versions met", async () => {
    cluster = await Cluster.open({
      keyspaces: { default: { strategy: "dynamo", resolver: "version-vector" } },
    });
    await cluster.until(cluster.keyspace("n1").put("k", 1, { consistency: "all" }));
    const [row] = await rowsAt("n1");
    expect(row).toMatchObject({ key: "k", operation: "put", replicatedTo: ["n1", "n2", "n3"] });

    // Two writes that do not know of each other.
    const writes = ["n1", "n2"].map((id) => cluster.keyspace(id).put("both", id));
    await cluster.until(Promise.all(writes));
    await cluster.advance(200);
    const tables = await Promise.all(
      cluster.ids.map(async (id) => (await cluster.node(id).store.admin.conflicts()).rows),
    );
    const met = tables.flat().filter(({ key }) => key === "both");
    expect(met.length).toBeGreaterThan(0);
    for (const { versions, resolution, discarded } of met) {
      expect(new Set(versions).size).toBe(2);
      expect([resolution, discarded]).toEqual(["siblings", 0]);
    }
  });

  it("a resolver that drops the loser is named, with what it dropped", async () => {
    cluster = await Cluster.open({
      keyspaces: { default: { strategy: "dynamo", resolver: "lww" } },
    });
    const writes = ["n1", "n2"].map((id) => cluster.keyspace(id).put("both", id));
    await cluster.until(Promise.all(writes));
    await cluster.advance(200);
    const tables = await Promise.all(
      cluster.ids.map(async (id) => (await cluster.node(id).store.admin.conflicts()).rows),
    );
    const [row] = tables.flat();
    expect(row).toMatchObject({ key: "both", resolution: "lww", discarded: 1 });
    expect(row?.versions).toContain(row?.resolvedVersion);
  });

  it("a blind write takes the place of what its own node holds, of which lww tells nobody", async () => {
    cluster = await Cluster.open({
      skewsMs: [1_000, 0, 0],
      keyspaces: { default: { strategy: "dynamo", resolver: "lww" } },
    });
    const old = await cluster.until(cluster.keyspace("n1").put("k", "old", { consistency: "all" }));
    // Neither knows of the other's client: the write is stamped after what its node holds, though that node's clock is behind.
    const blind = { consistency: "all" } as const;
    const { version } = await cluster.until(cluster.keyspace("n2").put("k", "blind", blind));
    await cluster.advance(200);
    for (const id of cluster.ids) {
      const keyspace = cluster.keyspace(id);
      const read = await cluster.until(keyspace.get("k", { consistency: "one" }));
      expect(read).toMatchObject({ value: "blind", version });
      expect((await cluster.node(id).store.admin.conflicts()).rows).toEqual([]);
      expect(cluster.node(id).events.filter(({ type }) => type === "conflict")).toEqual([]);
    }
    expect(version).not.toBe(old.version);
  });
});
