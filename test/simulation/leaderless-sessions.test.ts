import { describe, expect, test } from "vitest";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

/** Nothing brings a replica what it has missed but what the test does. */
const ALONE = { repair: { interval: "off", maxHints: 1 } };

describe.each([
  ["tunable", { strategy: "tunable", ...ALONE }],
  ["dynamo", { strategy: "dynamo", partitionPolicy: "prefer-consistency", ...ALONE }],
  [
    "dynamo that prefers availability",
    { strategy: "dynamo", partitionPolicy: "prefer-availability", ...ALONE },
  ],
])("a session on %s", (what, declared) => {
  const openAll = (more: ClusterOptions = {}) =>
    open({ keyspaces: { default: declared }, ...more });
  const one = { consistency: "one" } as const;

  /** `n3` misses the write that the session makes; afterwards everybody hears everybody. */
  async function writtenPast(cluster: Cluster): Promise<string> {
    cluster.network.cut("n1", "n3");
    cluster.network.cut("n2", "n3");
    const options = { ...one, session: "begin" };
    const written = await cluster.until(cluster.keyspace("n1").put("a", "mine", options));
    expect(cluster.keyspace("n3").getNow("a", one)).toMatchObject({ found: false });
    return written.session as string;
  }

  test("reads at a replica that lags what it wrote elsewhere, by asking the others", async () => {
    const cluster = await openAll();
    const session = await writtenPast(cluster);
    cluster.network.heal();
    expect(cluster.keyspace("n3").getNow("a", { ...one, session })).toBeUndefined();
    const read = await cluster.until(cluster.keyspace("n3").get("a", { ...one, session }));
    expect(read).toMatchObject({ found: true, value: "mine", session: expect.any(String) });
  });

  test("is told so where nobody who answers has it, and is shown nothing older", async () => {
    const cluster = await openAll();
    const session = await writtenPast(cluster);
    await cluster.waitUntilReachable("n3", []);
    const fault = await faultOf(cluster, cluster.keyspace("n3").get("a", { ...one, session }));
    expect([fault.code, fault.outcome]).toEqual(["SESSION_BEHIND", "not-applied"]);
    expect(fault.message).toContain('"a"');
    // Other keys, and those outside of the session, are read as ever.
    const others = [
      cluster.keyspace("n3").get("b", { ...one, session }),
      cluster.keyspace("n3").get("a", one),
    ];
    for (const read of await cluster.until(Promise.all(others))) {
      expect(read).toMatchObject({ found: false });
    }
  });

  test("never goes back to what is older than what it has read", async () => {
    const cluster = await openAll();
    const first = await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all" }));
    cluster.network.cut("n1", "n3");
    cluster.network.cut("n2", "n3");
    const context = { context: first.version };
    await cluster.until(cluster.keyspace("n2").put("a", 2, { ...one, ...context }));
    const reader = cluster.keyspace("n2").withSession();
    expect(await cluster.until(reader.get("a", one))).toMatchObject({ value: 2 });
    const elsewhere = cluster.keyspace("n3").withSession(reader.token);
    const fault = await faultOf(cluster, elsewhere.get("a", one));
    expect(fault.code).toBe("SESSION_BEHIND");
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    expect(await cluster.until(elsewhere.get("a", one))).toMatchObject({ value: 2 });
    const deleted = await cluster.until(reader.delete("a", { consistency: "all" }));
    expect(deleted.receipt.consistent).toBe(true);
    const after = cluster.keyspace("n3").withSession(reader.token);
    expect(await cluster.until(after.get("a", one))).toMatchObject({ found: false });
  });

  test("writes above what it has seen, through a node whose clock is behind", async () => {
    const lww = declared.strategy === "dynamo" ? { resolver: "lww" } : {};
    const cluster = await openAll({
      keyspaces: { default: { ...declared, ...lww } },
      skewsMs: [2_000, 0, 0],
    });
    cluster.network.cut("n1", "n2");
    cluster.network.cut("n1", "n3");
    const session = cluster.keyspace("n1").withSession();
    await cluster.until(session.put("a", "first", one));
    const behind = cluster.keyspace("n2").withSession(session.token);
    await cluster.until(behind.put("a", "second", one));
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    for (const id of cluster.ids) {
      const again = cluster.keyspace(id).withSession(behind.token);
      const read = await cluster.until(again.get("a", { consistency: "all" }));
      expect(read).toMatchObject({ found: true, value: "second" });
    }
  });

  test("has no write acknowledged that its id puts before what it has seen", async () => {
    const cluster = await openAll();
    // Asked for in advance, or made where the clock is behind.
    const operationId = cluster.node("n3").store.operationId("default");
    await cluster.advance(5);
    const session = await writtenPast(cluster);
    await cluster.waitUntilReachable("n3", []);
    const options = { ...one, session, operationId };
    const keyspace = cluster.keyspace("n3");
    if (what === "tunable") {
      const fault = await faultOf(cluster, keyspace.put("a", "late", options));
      expect([fault.code, fault.outcome]).toEqual(["SUPERSEDED", "unknown"]);
      expect(fault.operationId).toBe(operationId);
      const anew = cluster.node("n3").store.operationId("default");
      await cluster.until(keyspace.put("a", "late", { ...options, operationId: anew }));
    } else await cluster.until(keyspace.put("a", "late", options));
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    const read = await cluster.until(keyspace.get("a", { consistency: "all" }));
    expect(read.found && (read.conflict ? read.siblings : [read.value])).toContain("late");
  });

  test("carries what it has seen of many keys, and says when that is too much", async () => {
    const cluster = await openAll({ keyspaces: { default: { ...declared, shards: 8 } } });
    const session = cluster.keyspace("n1").withSession();
    const keys = Array.from({ length: 100 }, (_, n) => `key-${n}`);
    for (const key of keys) await cluster.until(session.put(key, key, { consistency: "quorum" }));
    expect(session.token.length).toBeLessThanOrEqual(12_288);
    const elsewhere = cluster.keyspace("n3").withSession(session.token);
    for (const read of await cluster.until(elsewhere.getMany(keys, one))) {
      expect(read).toMatchObject({ ok: true, result: { found: true, value: read.key } });
    }
    const more = Array.from({ length: 500 }, (_, n) => [`more-${n}`, n] as const);
    const results = await cluster.until(session.putMany(more));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(() => cluster.keyspace("n3").withSession(session.token)).toThrow(
      expect.objectContaining({
        code: "INVALID_SESSION",
        message: expect.stringContaining("more than a token"),
      }),
    );
    expect(what).toContain(declared.strategy);
  });

  test("refuses a token of another keyspace", async () => {
    const cluster = await openAll({ keyspaces: { default: declared, other: declared } });
    const { session } = await cluster.until(
      cluster.keyspace("n1", "other").put("a", 1, { session: "begin" }),
    );
    const call = cluster.keyspace("n1").get("a", { session: session as string });
    expect((await faultOf(cluster, call)).code).toBe("INVALID_SESSION");
  });
});

test("a tunable session that has seen a value expire never sees it again", async () => {
  const cluster = await open({ skewsMs: [2_000, 0, 0] });
  await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all", ttlMs: 1_000 }));
  await cluster.advance(1_100);
  const session = cluster.keyspace("n1").withSession();
  expect(await cluster.until(session.get("a", { consistency: "one" }))).toMatchObject({
    found: false,
  });
  const behind = cluster.keyspace("n2").withSession(session.token);
  expect(await cluster.until(behind.get("a", { consistency: "one" }))).toMatchObject({
    found: false,
  });
});
