import { describe, expect, test } from "vitest";
import { faultOf, open } from "../support/cluster-calls.ts";

const KEYSPACES = { default: { strategy: "raft", shards: 1, sessionLifetime: "2s" } };

describe("an operation id that is older than what the keyspace remembers", () => {
  test("that was used is refused, with an outcome that nobody knows, and writes nothing", async () => {
    const cluster = await open({ keyspaces: KEYSPACES });
    const keyspace = cluster.keyspace("n1");
    const operationId = await cluster.until(keyspace.operationId());
    const first = await cluster.until(keyspace.put("a", 1, { operationId }));
    const again = await cluster.until(keyspace.put("a", 1, { operationId }));
    expect(again.version).toBe(first.version);
    // Other sessions' writes move the shard's clock on; the sweep forgets what has not been used.
    for (let n = 0; n < 10; n++) {
      await cluster.advance(1_000);
      await cluster.until(cluster.keyspace("n2").put("b", n));
    }
    const late = await faultOf(cluster, cluster.keyspace("n3").put("a", 2, { operationId }));
    expect(late).toMatchObject({
      code: "OPERATION_ID_EXPIRED",
      outcome: "unknown",
      retry: "never",
    });
    const read = await cluster.until(keyspace.get("a"));
    expect(read).toMatchObject({ found: true, value: 1 });
  });

  test("that was never used is refused in the same way: nobody can tell the two apart", async () => {
    const cluster = await open({ keyspaces: KEYSPACES });
    const keyspace = cluster.keyspace("n1");
    const operationId = await cluster.until(keyspace.operationId());
    for (let n = 0; n < 10; n++) {
      await cluster.advance(1_000);
      await cluster.until(cluster.keyspace("n2").put("b", n));
    }
    const result = await cluster.until(
      keyspace.put("a", 1, { operationId }).then(
        () => "written",
        ({ code, outcome }) => `${code} ${outcome}`,
      ),
    );
    const read = await cluster.until(keyspace.get("a"));
    expect([result, read.found]).toEqual(["OPERATION_ID_EXPIRED unknown", false]);
  });
});
