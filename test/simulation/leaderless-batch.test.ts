import { describe, expect, test } from "vitest";
import { faultOf, open } from "../support/cluster-calls.ts";

describe.each([
  ["tunable", { strategy: "tunable", shards: 4 }],
  ["dynamo", { strategy: "dynamo", shards: 4, partitionPolicy: "prefer-consistency" }],
])("a batch of the strategy %s", (_strategy, declared) => {
  const keyspaces = { default: declared };

  test("writes keys of any shard, and has a version and a receipt for each", async () => {
    const cluster = await open({ keyspaces });
    await cluster.until(cluster.keyspace("n1").put("key-3", "old"));
    const writes = [
      ...Array.from({ length: 100 }, (_, n) => ({ put: `key-${n}`, value: n })),
      { delete: "key-100" },
    ];
    const results = await cluster.until(cluster.keyspace("n1").batch(writes));
    expect(results.map(({ key }) => key)).toEqual(
      Array.from({ length: 101 }, (_, n) => `key-${n}`),
    );
    const versions = results.map((each) => (each.ok ? each.result.version : each.error));
    expect(new Set(versions).size).toBe(101);
    for (const each of results) {
      expect(each).toMatchObject({ ok: true, result: { receipt: { consistent: true } } });
    }
    for (const id of ["n2", "n3"]) {
      const [first, last] = await cluster.until(
        cluster.keyspace(id).getMany(["key-0", "key-99"], { consistency: "quorum" }),
      );
      expect(first).toMatchObject({ ok: true, result: { value: 0 } });
      expect(last).toMatchObject({ ok: true, result: { value: 99 } });
    }
  });

  test("fails key by key, each with an outcome and an id of its own to try again with", async () => {
    const cluster = await open({ keyspaces });
    for (const to of ["n2", "n3"]) cluster.network.cut("n1", to);
    const writes = [
      { put: "a", value: 1 },
      { put: "b", value: 2 },
    ];
    const results = await cluster.until(cluster.keyspace("n1").batch(writes));
    const ids = results.map((each) => {
      if (each.ok) throw new Error(`${each.key} was written`);
      expect(each.error).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
      return (each.error as { operationId?: string }).operationId as string;
    });
    expect(new Set(ids).size).toBe(2);
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.advance(1_000);
    const [operationId] = ids;
    const again = cluster.keyspace("n1").put("a", 1, { operationId: operationId as string });
    await cluster.until(again);
    const read = await cluster.until(cluster.keyspace("n2").get("a"));
    expect(read).toMatchObject({ found: true, conflict: false, value: 1 });
  });

  test("refuses what belongs to one write, and a key that stands twice", async () => {
    const cluster = await open({ keyspaces });
    const keyspace = cluster.keyspace("n1");
    const operationId = cluster.node("n1").store.operationId("default");
    const { version } = await cluster.until(keyspace.put("a", 1));
    const cases = [
      () => keyspace.batch([{ delete: "a" }], { operationId }),
      () => keyspace.batch([{ delete: "a" }], { context: version }),
      () => keyspace.batch([{ delete: "a" }, { put: "a", value: 2 }]),
    ];
    for (const call of cases) {
      const fault = await faultOf(cluster, call());
      expect([fault.code, fault.outcome]).toEqual(["INVALID_ARGUMENT", "not-applied"]);
    }
    expect(await cluster.until(keyspace.get("a"))).toMatchObject({ value: 1 });
  });
});
