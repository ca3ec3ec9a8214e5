import { describe, expect, test } from "vitest";
import { decodeOperationId } from "../../src/core/model/operation-id.ts";
import { hybridTimeOf, MAX_HYBRID_TIME, wallMsOf } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken, versionTokenOf } from "../../src/core/model/version-token.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open, waitUntilServing, watchFrames } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

/** n3 misses what `meanwhile` does. */
async function openWithout3(
  meanwhile: (cluster: Cluster) => Promise<unknown>,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const cluster = await open(options);
  await cluster.until(cluster.keyspace("n1").put("key", "old", { consistency: "all" }));
  cluster.isolate("n3");
  await cluster.waitUntilReachable("n1", ["n2"]);
  await cluster.waitUntilReachable("n2", ["n1"]);
  await meanwhile(cluster);
  cluster.network.heal();
  await cluster.waitUntilReachable("n3", ["n1", "n2"]);
  await cluster.waitUntilReachable("n1", ["n2", "n3"]);
  return cluster;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

/** What the node's own replica holds. */
async function heldBy(cluster: Cluster, id: string, key = "key") {
  return cluster.until(cluster.keyspace(id).get(key, { consistency: "one" }));
}

describe("read repair", () => {
  test("comes after the answer, to the replica that answered with something older", async () => {
    const cluster = await openWithout3(async (cluster) => {
      await cluster.until(cluster.keyspace("n1").put("key", "new"));
    });
    expect(await heldBy(cluster, "n3")).toMatchObject({ value: "old" });
    const read = await cluster.until(cluster.keyspace("n1").get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "new" });
    expect(read.receipt).toMatchObject({ pendingSync: true, repaired: 1, consistent: true });
    // A receipt used to call every replica that answered a holder.
    expect(read.receipt.replicas).toEqual({ total: 3, answered: 3, durable: 2, standIns: 0 });
    await cluster.advance(5);
    expect(await heldBy(cluster, "n3")).toMatchObject({ value: "new" });
    const again = await cluster.until(cluster.keyspace("n1").get("key", { consistency: "all" }));
    expect(again.receipt).toMatchObject({ pendingSync: false, repaired: 0 });
  });

  test("is a merge: what is newer by then stays", async () => {
    const cluster = await openWithout3(async (cluster) => {
      await cluster.until(cluster.keyspace("n1").put("key", "new"));
    });
    // Repair leaves n1 and is 50 ms on its way; n3 gets a newer version before.
    cluster.network.faults = { delayMs: [50, 50], lanes: ["bulk"] };
    await cluster.until(cluster.keyspace("n1").get("key", { consistency: "all" }));
    const newest = cluster.keyspace("n3").put("key", "newest", { consistency: "one" });
    const { version } = await cluster.until(newest);
    await cluster.advance(100);
    expect(await heldBy(cluster, "n3")).toMatchObject({ value: "newest", version });
  });

  test("an answer that comes after the client's is repaired too, both ways", async () => {
    const cluster = await openWithout3(async (cluster) => {
      await cluster.until(cluster.keyspace("n1").put("key", "new"));
    });
    cluster.network.faults = { delayMs: [20, 20], lanes: ["log"] };
    const read = await cluster.until(cluster.keyspace("n3").get("key", { consistency: "two" }));
    expect(read).toMatchObject({ value: "new" });
    await cluster.advance(100);
    expect(await heldBy(cluster, "n3")).toMatchObject({ value: "new" });
  });
});

describe("tombstones", () => {
  test("a delete stays deleted though an older write arrives late", async () => {
    const cluster = await open();
    await cluster.until(cluster.keyspace("n1").put("key", "first", { consistency: "all" }));
    // The write's copies to n2 and n3 are half a second on their way.
    cluster.network.faults = { delayMs: [100, 100], lanes: ["log"] };
    const late = cluster.keyspace("n1").put("key", "late", { consistency: "one" });
    await cluster.until(late);
    cluster.network.faults = {};
    await cluster.advance(3);
    const gone = cluster.keyspace("n2").delete("key", { consistency: "strong" });
    const { version } = await cluster.until(gone);
    await cluster.advance(200);
    for (const id of cluster.ids) {
      const read = await cluster.until(cluster.keyspace(id).get("key", { consistency: "all" }));
      expect(read).toMatchObject({ found: false, version });
      expect(await heldBy(cluster, id)).toMatchObject({ found: false, version });
      expect(await cluster.until(cluster.keyspace(id).has("key"))).toBe(false);
    }
  });

  test("a replica that missed the delete learns of it by repair, and does not bring it back", async () => {
    const cluster = await openWithout3(async (cluster) => {
      await cluster.until(cluster.keyspace("n1").delete("key"));
    });
    expect(await heldBy(cluster, "n3")).toMatchObject({ found: true });
    const read = await cluster.until(cluster.keyspace("n3").get("key", { consistency: "all" }));
    expect(read.found).toBe(false);
    await cluster.advance(5);
    expect(await heldBy(cluster, "n3")).toMatchObject({ found: false });
  });

  test("a key can be written again, and deleting what is not there is a write too", async () => {
    const cluster = await open();
    const keyspace = cluster.keyspace("n1");
    const first = await cluster.until(keyspace.delete("never"));
    expect(await cluster.until(keyspace.get("never"))).toMatchObject({
      found: false,
      version: first.version,
    });
    await cluster.until(keyspace.put("never", "now"));
    expect(await cluster.until(cluster.keyspace("n2").get("never"))).toMatchObject({
      value: "now",
    });
  });
});

describe("the clock guard", () => {
  const CLOCK = { configuration: { clock: { maxSkew: "1s" } } };

  test("a stamp beyond maxSkew is refused with CLOCK_SKEW, and stored nowhere", async () => {
    const cluster = await open({ ...CLOCK, nodes: 4, keyspaces: { default: { replicas: 3 } } });
    const outsider = cluster.ids.find(
      (id) => cluster.keyspace(id).describe().hosted === 0,
    ) as string;
    cluster.node(outsider).environment.wallOffsetMs = 5_000;
    const write = cluster.keyspace(outsider).put("key", "ahead");
    const fault = await faultOf(cluster, write);
    expect([fault.code, fault.outcome, fault.retry]).toEqual(["CLOCK_SKEW", "not-applied", "safe"]);
    for (const id of cluster.ids.filter((each) => each !== outsider)) {
      expect(await heldBy(cluster, id)).toMatchObject({ found: false });
    }
    // Given by an id, the very same stamp may have been stored by an earlier try.
    const operationId = cluster.node(outsider).store.operationId("default");
    const withId = cluster.keyspace(outsider).put("key", "ahead", { operationId });
    const unknown = await faultOf(cluster, withId);
    expect([unknown.code, unknown.outcome, unknown.operationId]).toEqual([
      "CLOCK_SKEW",
      "unknown",
      operationId,
    ]);
  });

  test("a write that only its own node took says that the others refused its stamp", async () => {
    const cluster = await open({ ...CLOCK, skewsMs: [5_000, 0, 0] });
    const fault = await faultOf(cluster, cluster.keyspace("n1").put("key", "ahead"));
    expect([fault.code, fault.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    expect(fault.message).toMatch(
      /1 of the 2 replicas.*, and n2, n3 refused its stamp, which lies beyond clock\.maxSkew/,
    );
  });

  // A second copy of a refused write that came late was stored once the clocks had moved on.
  test("what was refused stays refused, though a second copy of it comes late", async () => {
    const cluster = await open({ ...CLOCK, nodes: 4, keyspaces: { default: { replicas: 3 } } });
    const outsider = cluster.ids.find(
      (id) => cluster.keyspace(id).describe().hosted === 0,
    ) as string;
    cluster.node(outsider).environment.wallOffsetMs = 1_050;
    const filter = cluster.network;
    filter.faults = { doubling: 1, secondMs: [90, 100], lanes: ["log"] };
    const fault = await faultOf(
      cluster,
      cluster.keyspace(outsider).put("key", "ahead", { timeoutMs: 500 }),
    );
    expect([fault.code, fault.outcome]).toEqual(["CLOCK_SKEW", "not-applied"]);
    await cluster.advance(500);
    filter.faults = {};
    for (const id of cluster.ids.filter((each) => each !== outsider)) {
      expect(await heldBy(cluster, id)).toMatchObject({ found: false });
    }
  });

  /** n1 runs five seconds ahead and has written alone, on its own replica. */
  async function openWithStampAhead(): Promise<Cluster> {
    const cluster = await open({ ...CLOCK, skewsMs: [5_000, 0, 0] });
    cluster.isolate("n1");
    await cluster.waitUntilReachable("n1", []);
    await cluster.until(cluster.keyspace("n1").put("key", "ahead", { consistency: "one" }));
    cluster.network.heal();
    await cluster.waitUntilReachable("n2", ["n1", "n3"]);
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    return cluster;
  }

  function clockLead(cluster: Cluster, id: string): number {
    const { stamp } = decodeOperationId(cluster.node(id).store.operationId("default"));
    return wallMsOf(stamp.time) - cluster.node(id).environment.wallMs();
  }

  test("repair merges it all the same, and drags no clock along", async () => {
    const cluster = await openWithStampAhead();
    const read = await cluster.until(cluster.keyspace("n2").get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "ahead" });
    await cluster.advance(5);
    for (const id of ["n2", "n3"]) {
      expect(await heldBy(cluster, id)).toMatchObject({ value: "ahead" });
      expect(clockLead(cluster, id)).toBeLessThan(1_000);
    }
  });

  test.each(["strong", "quorum"] as const)(
    "a write at %s above it carries the proof, and succeeds",
    async (consistency) => {
      const cluster = await openWithStampAhead();
      await cluster.until(cluster.keyspace("n2").get("key", { consistency: "all" }));
      await cluster.advance(5);
      for (const value of ["above", "above that"]) {
        await cluster.until(cluster.keyspace("n3").put("key", value, { consistency }));
        const read = await cluster.until(cluster.keyspace("n2").get("key", { consistency: "all" }));
        expect(read).toMatchObject({ value });
      }
      await cluster.until(cluster.keyspace("n3").delete("key", { consistency }));
      expect(await cluster.until(cluster.keyspace("n2").has("key"))).toBe(false);
      expect(clockLead(cluster, "n3")).toBeLessThan(1_000);
    },
  );

  test("a stamp beyond it that only the client speaks of is not followed", async () => {
    const cluster = await open(CLOCK);
    const time = hybridTimeOf(cluster.node("n1").environment.wallMs() + 3_600_000);
    for (const invented of [time, MAX_HYBRID_TIME]) {
      const context = versionTokenOf({ time: invented, actorHigh: 1, actorLow: 1 });
      for (const consistency of ["quorum", "strong"] as const) {
        const put = cluster.keyspace("n1").put("key", "value", { context, consistency });
        const { version } = await cluster.until(put);
        const stamp = stampOfVersionToken(version);
        expect(stamp?.time).toBeLessThan(time);
      }
    }
  });
});

describe("a replica that comes back empty", () => {
  async function fill(cluster: Cluster, keys: number): Promise<void> {
    const entries = Array.from({ length: keys }, (_, n) => [`key-${n}`, `v${n}`] as const);
    const results = await cluster.until(
      cluster.keyspace("n1").putMany(entries, { consistency: "all" }),
    );
    expect(results.every(({ ok }) => ok)).toBe(true);
  }

  test("counts nowhere until it has streamed its shard, then serves", async () => {
    const cluster = await open({ keyspaces: { default: { shards: 2 } } });
    await fill(cluster, 40);
    cluster.kill("n3");
    await cluster.restart("n3");
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const own = cluster.keyspace("n3");
    expect(own.describe()).toMatchObject({ hosted: 2, serving: 0 });
    // Nothing is asked that could only be met with it.
    const all = await faultOf(cluster, cluster.keyspace("n1").get("key-1", { consistency: "all" }));
    const written = await faultOf(
      cluster,
      cluster.keyspace("n1").put("key-1", "meanwhile", { consistency: "all" }),
    );
    // It is given what the others are enough for, all the same.
    await cluster.until(cluster.keyspace("n1").put("key-1", "meanwhile"));
    for (const { code, outcome, message } of [all, written]) {
      expect([code, outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
      expect(message.split("available: ")[1]?.split(", ").sort()).toEqual(["n1", "n2"]);
    }
    // Its own reads ask the others, at `one` too.
    const one = await cluster.until(own.get("key-2", { consistency: "one" }));
    expect(one).toMatchObject({ value: "v2" });
    await waitUntilServing(cluster, "n3");
    const frames = watchFrames(cluster);
    for (let n = 2; n < 40; n++) {
      const read = await heldBy(cluster, "n3", `key-${n}`);
      expect(read).toMatchObject({ value: `v${n}` });
    }
    expect(frames).toEqual([]);
    expect(await heldBy(cluster, "n3", "key-1")).toMatchObject({ value: "meanwhile" });
    const types = cluster.node("n3").events.map(({ type }) => type);
    expect(types.filter((type) => type === "rebuild-finished")).toHaveLength(2);
    expect(types).not.toContain("writes-may-be-lost");
  });

  test("waits for a source that it cannot reach: one of two is not enough", async () => {
    const cluster = await open();
    await fill(cluster, 10);
    cluster.kill("n3");
    cluster.network.cut("n2", "n3");
    await cluster.restart("n3");
    await cluster.advance(20_000);
    expect(cluster.keyspace("n3").describe()).toMatchObject({ serving: 0 });
    cluster.network.heal();
    await waitUntilServing(cluster, "n3");
    expect(await heldBy(cluster, "n3", "key-9")).toMatchObject({ value: "v9" });
  });

  test("goes on after frames of the stream were lost", async () => {
    const cluster = await open();
    const large = "x".repeat(10_000);
    const entries = Array.from({ length: 60 }, (_, n) => [`key-${n}`, `${large}${n}`] as const);
    await cluster.until(cluster.keyspace("n1").putMany(entries, { consistency: "all" }));
    cluster.kill("n3");
    cluster.network.faults = { loss: 0.3, lanes: ["bulk"] };
    await cluster.restart("n3");
    await waitUntilServing(cluster, "n3");
    for (const [key, value] of entries) {
      expect(await heldBy(cluster, "n3", key)).toMatchObject({ value });
    }
  });

  test("two of three came back empty: they learn what the third has, and say what may be lost", async () => {
    const cluster = await open();
    await fill(cluster, 10);
    cluster.kill("n2");
    cluster.kill("n3");
    await cluster.restart("n2");
    await cluster.restart("n3");
    await waitUntilServing(cluster, "n2");
    await waitUntilServing(cluster, "n3");
    for (const id of ["n2", "n3"]) {
      expect(await heldBy(cluster, id, "key-7")).toMatchObject({ value: "v7" });
    }
    const said = ["n2", "n3"].filter((id) =>
      cluster.node(id).events.some(({ type }) => type === "writes-may-be-lost"),
    );
    expect(said.length).toBeGreaterThan(0);
  });

  test("an acknowledgement of its old self does not count for a write that is still under way", async () => {
    const cluster = await open();
    // n3 acknowledges, n2 is deaf: n1 has two of three with its own, at `all` that is not enough.
    cluster.network.cutOneWay("n1", "n2");
    const write = cluster.keyspace("n1").put("key", "v", { consistency: "all", timeoutMs: 30_000 });
    await cluster.advance(5);
    cluster.kill("n3");
    cluster.network.heal();
    await cluster.restart("n3");
    await cluster.until(write);
    await waitUntilServing(cluster, "n3");
    for (const id of cluster.ids) {
      expect(await heldBy(cluster, id)).toMatchObject({ value: "v" });
    }
  });
});

describe("storage that persists", () => {
  test("what was acknowledged is there after a power cut of all nodes", async () => {
    const cluster = await open({ persistent: true, keyspaces: { default: { shards: 2 } } });
    for (let n = 0; n < 20; n++) {
      await cluster.until(cluster.keyspace("n1").put(`key-${n}`, n));
    }
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.restart(id);
    await cluster.ready();
    for (let n = 0; n < 20; n++) {
      const read = await cluster.until(cluster.keyspace("n2").get(`key-${n}`));
      expect(read).toMatchObject({ value: n });
    }
  });

  // The mark "rebuild under way" could be lost with the latest commits, and the half-filled replica
  // then took itself for whole.
  test("a power cut in the middle of a rebuild does not make a half-filled replica count", async () => {
    const cluster = await open({ persistent: true });
    const large = "x".repeat(20_000);
    const entries = Array.from({ length: 30 }, (_, n) => [`key-${n}`, `${large}${n}`] as const);
    await cluster.until(cluster.keyspace("n1").putMany(entries, { consistency: "all" }));
    cluster.kill("n3");
    const disk = new PersistentMemoryDisk();
    cluster.disks.set("n3", disk);
    cluster.network.faults = { delayMs: [20, 20], lanes: ["bulk"] };
    await cluster.restart("n3");
    const events = cluster.node("n3").events;
    await cluster.waitFor(() => {
      const [shard] = cluster.keyspace("n3").describe().shards as {
        rebuild?: { entries: number };
      }[];
      return (shard?.rebuild?.entries ?? 0) > 5;
    });
    expect(events.map(({ type }) => type)).not.toContain("rebuild-finished");
    // The cluster's id had reached the disk, and what came after it had not.
    const { state } = disk;
    const joined = state.batches.findIndex(({ mutations }) =>
      mutations.some((each) => each.type === "put" && textOf(each.key) === "cluster-id"),
    );
    expect(joined).toBeGreaterThanOrEqual(0);
    state.synced = joined + 1;
    cluster.kill("n3");
    cluster.isolate("n3");
    const restarted = await cluster.restart("n3");
    await cluster.advance(3_000);
    expect(restarted.store.describe().clusterId).toBeDefined();
    expect(cluster.keyspace("n3").describe()).toMatchObject({ serving: 0 });
    cluster.network.heal();
    cluster.network.faults = {};
    await waitUntilServing(cluster, "n3");
    for (const [key, value] of entries) {
      expect(await heldBy(cluster, "n3", key)).toMatchObject({ value });
    }
  });
});
