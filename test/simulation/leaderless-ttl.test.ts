import { describe, expect, test } from "vitest";
import type { WatchEvent } from "../../src/core/store/api.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const NODES = ["n1", "n2", "n3"] as const;
/** Nothing but the replicas themselves brings them to what has expired. */
const ALONE = { repair: { interval: "off", maxHints: 1 } };

async function keysIn(cluster: Cluster, id: string): Promise<readonly string[]> {
  const keys: string[] = [];
  const reading = (async () => {
    for await (const { key } of cluster.keyspace(id).scan({ consistency: "one" })) keys.push(key);
  })();
  await cluster.until(reading);
  return keys;
}

describe.each([
  ["tunable", { strategy: "tunable", ...ALONE }],
  ["dynamo", { strategy: "dynamo", partitionPolicy: "prefer-consistency", ...ALONE }],
  ["dynamo, where the last writer wins", { strategy: "dynamo", resolver: "lww", ...ALONE }],
])("a value that expires, on %s", (_what, declared) => {
  const openAll = (more: ClusterOptions = {}) =>
    open({ keyspaces: { default: declared }, ...more });
  const found = async (cluster: Cluster, id: string, key = "a", level: "one" | "quorum" = "one") =>
    (await cluster.until(cluster.keyspace(id).get(key, { consistency: level }))).found;

  test("is there until then, and at no replica from then on, by get, getNow and scan", async () => {
    const cluster = await openAll();
    await cluster.until(cluster.keyspace("n1").put("stays", 1, { consistency: "all" }));
    await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all", ttlMs: 300 }));
    await cluster.advance(250);
    for (const id of NODES) expect(await found(cluster, id)).toBe(true);
    await cluster.advance(60);
    for (const id of NODES) {
      expect(await found(cluster, id)).toBe(false);
      expect(await found(cluster, id, "a", "quorum")).toBe(false);
      expect(cluster.keyspace(id).getNow("a", { consistency: "one" })).toMatchObject({
        found: false,
        version: expect.any(String),
      });
      expect(await keysIn(cluster, id)).toEqual(["stays"]);
    }
  });

  test("is told to watchers as expired, and nothing of it is ever told again", async () => {
    const cluster = await openAll();
    const events: WatchEvent<unknown>[] = [];
    const watching = cluster.keyspace("n2").changes$.subscribe((event) => events.push(event));
    await cluster.advance(50);
    await cluster.until(cluster.keyspace("n1").put("a", 7, { consistency: "all", ttlMs: 300 }));
    await cluster.advance(2_000);
    watching.unsubscribe();
    const told = events.filter(({ key }) => key === "a");
    expect(told.map(({ type, value }) => [type, value])).toEqual([
      ["put", 7],
      ["expire", undefined],
    ]);
  });

  test("does not bring back what it has replaced, where a replica has missed it", async () => {
    const cluster = await openAll();
    const first = await cluster.until(
      cluster.keyspace("n1").put("a", "old", { consistency: "all" }),
    );
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n3", []);
    const context = { context: first.version };
    await cluster.until(cluster.keyspace("n1").put("a", "new", { ...context, ttlMs: 200 }));
    await cluster.advance(500);
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    expect(await found(cluster, "n3", "a", "quorum")).toBe(false);
    await cluster.advance(1_000);
    // Repair has brought the tombstone.
    for (const id of NODES) expect(await found(cluster, id)).toBe(false);
  });

  test("is the same write when it is tried again under its id, also when it has expired", async () => {
    const cluster = await openAll();
    const operationId = cluster.node("n1").store.operationId("default");
    const options = { operationId, ttlMs: 500 };
    await cluster.advance(50);
    const first = await cluster.until(cluster.keyspace("n1").put("a", 1, options));
    await cluster.advance(300);
    const again = await cluster.until(cluster.keyspace("n1").put("a", 1, options));
    await cluster.advance(200);
    // Counted from the id, not from the second try.
    expect(await found(cluster, "n1", "a", "quorum")).toBe(false);
    await cluster.advance(100);
    const late = await cluster.until(cluster.keyspace("n1").put("a", 1, options));
    if (declared.strategy === "tunable") {
      expect([again.version, late.version]).toEqual([first.version, first.version]);
    }
    expect(await found(cluster, "n1", "a", "quorum")).toBe(false);
  });

  test("is the same write when it is tried again under the id of its fault, whatever the clocks", async () => {
    // The stamp follows the other nodes' clocks, and lies ahead of this node's wall clock.
    const cluster = await openAll({ skewsMs: [-300, 0, 0] });
    await cluster.until(cluster.keyspace("n2").put("b", 0, { consistency: "all" }));
    cluster.isolate("n1");
    const options = { consistency: "each-quorum", ttlMs: 3_000 } as const;
    const fault = await faultOf(cluster, cluster.keyspace("n1").put("a", 1, options));
    expect(fault.code).toBe("OUTCOME_UNKNOWN");
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const again = { ...options, operationId: fault.operationId as string };
    await cluster.until(cluster.keyspace("n1").put("a", 1, again));
    expect(await found(cluster, "n1", "a", "quorum")).toBe(true);
    await cluster.advance(3_500);
    expect(await found(cluster, "n1", "a", "quorum")).toBe(false);
  });

  test("is gone after a restart, and stays gone at a node whose clock is set back", async () => {
    const cluster = await openAll({ persistent: true });
    await cluster.until(cluster.keyspace("n2").put("a", 1, { consistency: "all", ttlMs: 400 }));
    cluster.kill("n3");
    await cluster.advance(800);
    expect(await found(cluster, "n1")).toBe(false);
    cluster.node("n1").environment.wallOffsetMs = -1_500;
    await cluster.restart("n3");
    await cluster.ready("n3");
    await cluster.advance(100);
    for (const id of NODES) expect(await found(cluster, id, "a")).toBe(false);
  });

  test("lives no longer where its node has just started, and stamps what is written ahead of its clock", async () => {
    const cluster = await openAll({ persistent: true });
    await cluster.until(cluster.keyspace("n1").put("b", 1, { consistency: "all" }));
    cluster.kill("n1");
    await cluster.restart("n1");
    await cluster.ready("n1");
    await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all", ttlMs: 100 }));
    await cluster.advance(110);
    for (const id of NODES) expect(await found(cluster, id)).toBe(false);
  });

  test("is gone for a reader whose clock is behind, once one that it meets has seen it go", async () => {
    const cluster = await openAll({ skewsMs: [0, 0, -2_000] });
    await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all", ttlMs: 400 }));
    await cluster.advance(450);
    expect(await found(cluster, "n1", "a", "quorum")).toBe(false);
    await cluster.advance(50);
    for (const id of NODES) expect(await found(cluster, id, "a", "quorum")).toBe(false);
  });

  test("refuses a time to live for what cannot have one", async () => {
    const cluster = await openAll();
    const keyspace = cluster.keyspace("n1");
    const endless = await faultOf(
      cluster,
      keyspace.put("a", 1, { ttlMs: Number.MAX_SAFE_INTEGER }),
    );
    expect([endless.code, endless.outcome]).toEqual(["INVALID_ARGUMENT", "not-applied"]);
    expect(endless.message).toContain("a whole number from 1 to 4503599627370496");
    const deletion = await faultOf(cluster, keyspace.delete("a", { ttlMs: 5 }));
    expect(deletion.code).toBe("INVALID_ARGUMENT");
  });
});

describe("siblings of a dynamo key", () => {
  const keyspaces = { default: { strategy: "dynamo" } };

  test("expire each by itself", async () => {
    const cluster = await open({ keyspaces });
    const keyspace = cluster.keyspace("n1");
    await cluster.until(keyspace.put("a", "short", { ttlMs: 200 }));
    await cluster.until(keyspace.put("a", "long"));
    const both = await cluster.until(keyspace.get("a"));
    expect(both.found && both.conflict && [...both.siblings].sort()).toEqual(["long", "short"]);
    await cluster.advance(250);
    expect(await cluster.until(keyspace.get("a"))).toMatchObject({
      found: true,
      conflict: false,
      value: "long",
    });
  });

  test("of a CRDT have no time to live", async () => {
    const cluster = await open({
      keyspaces: { default: { strategy: "dynamo", resolver: "pn-counter" } },
    });
    const keyspace = cluster.keyspace("n1");
    const fault = await faultOf(cluster, keyspace.update("n", { increment: 1 }, { ttlMs: 50 }));
    expect([fault.code, fault.outcome]).toEqual(["NOT_SUPPORTED", "not-applied"]);
    expect(fault.message).toContain("ttlMs");
  });
});
