import { describe, expect, test } from "vitest";
import type { Level } from "../../src/core/model/levels.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

/** n1 sees `cut` of its two peers as unreachable. */
async function openWithCuts(cut: number, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await open(options);
  await cluster.until(cluster.keyspace("n1").put("seen", "by all", { consistency: "all" }));
  const gone = ["n3", "n2"].slice(0, cut);
  for (const id of gone) cluster.isolate(id);
  const here = ["n2", "n3"].filter((id) => !gone.includes(id));
  await cluster.waitUntilReachable("n1", here);
  return cluster;
}

const NEEDED: readonly (readonly [Level, number])[] = [
  ["one", 1],
  ["eventual", 1],
  ["two", 2],
  ["three", 3],
  ["quorum", 2],
  ["all", 3],
  ["local-quorum", 2],
  ["each-quorum", 2],
  ["strong", 2],
];
const CASES = [0, 1, 2].flatMap((cut) =>
  NEEDED.map(([level, needed]) => ({ cut, level, needed, up: 3 - cut })),
);

describe("each level with 0, 1 and 2 of three nodes cut off", () => {
  test.each(CASES)("$level with $cut cut", async ({ cut, level, needed, up }) => {
    const cluster = await openWithCuts(cut);
    const keyspace = cluster.keyspace("n1");
    const options = { consistency: level };
    if (up >= needed) {
      const { receipt } = await cluster.until(keyspace.put("key", "value", options));
      expect(receipt).toEqual({
        asked: level,
        achieved: level === "eventual" ? "one" : level,
        consistent: true,
        replicas: { total: 3, answered: needed, durable: needed, standIns: 0 },
        pendingSync: needed < 3,
        repaired: 0,
        epoch: 1,
        durationMs: receipt.durationMs,
      });
      await cluster.advance(5);
      const read = await cluster.until(keyspace.get("key", options));
      expect(read).toMatchObject({ found: true, value: "value" });
      expect(read.receipt).toEqual({
        asked: level,
        achieved: level === "eventual" ? "one" : level,
        consistent: true,
        replicas: { total: 3, answered: needed, durable: needed, standIns: 0 },
        pendingSync: false,
        repaired: 0,
        epoch: 1,
        durationMs: read.receipt.durationMs,
      });
      const missing = await cluster.until(keyspace.get("no such key", options));
      expect(missing).toMatchObject({ found: false });
      expect(missing.version).toBeUndefined();
      return;
    }
    const frames = watchFrames(cluster);
    for (const call of [
      () => keyspace.put("key", "value", options),
      () => keyspace.delete("key", options),
      () => keyspace.get("key", options),
    ]) {
      const fault = await faultOf(cluster, call());
      expect([fault.code, fault.outcome, fault.retry]).toEqual([
        "UNAVAILABLE",
        "not-applied",
        "safe",
      ]);
      expect(fault.operationId).toBeUndefined();
      expect(fault.details).toMatchObject({ level, needed });
    }
    // To nobody, not even to those that can be reached.
    expect(frames).toEqual([]);
    cluster.network.heal();
    await cluster.ready();
    const later = await cluster.until(cluster.keyspace("n2").get("key", { consistency: "all" }));
    expect(later.found).toBe(false);
  });

  test("an unreachable peer is not sent to, nor waited for", async () => {
    const cluster = await openWithCuts(1);
    const frames = watchFrames(cluster);
    const beforeMs = cluster.time.nowMs;
    await cluster.until(cluster.keyspace("n1").put("key", 1, { consistency: "quorum" }));
    await cluster.until(cluster.keyspace("n1").get("key", { consistency: "strong" }));
    expect(cluster.time.nowMs - beforeMs).toBeLessThan(5);
    expect(frames).toContain("n1>n2");
    expect(frames.filter((frame) => frame.includes("n3"))).toEqual([]);
  });

  test("a level above the number of replicas is refused by name", async () => {
    const cluster = await open({ nodes: 1 });
    for (const level of ["two", "three"] as const) {
      const fault = await faultOf(
        cluster,
        cluster.keyspace("n1").put("key", 1, { consistency: level }),
      );
      expect([fault.code, fault.outcome]).toEqual(["INVALID_LEVEL", "not-applied"]);
      expect(fault.allowed).toEqual([
        "one",
        "quorum",
        "all",
        "local-quorum",
        "each-quorum",
        "strong",
        "eventual",
      ]);
    }
    const { receipt } = await cluster.until(
      cluster.keyspace("n1").put("key", 1, { consistency: "all" }),
    );
    expect(receipt.replicas).toEqual({ total: 1, answered: 1, durable: 1, standIns: 0 });
  });
});

describe("a read at one", () => {
  // It used to count the copy as durable, which a power cut right after it would have disproved.
  test("shows what this node has just taken, and says that it is not durable yet", async () => {
    const cluster = await open({ persistent: true });
    const keyspace = cluster.keyspace("n1");
    const writing = keyspace.put("key", "new");
    const early = await cluster.until(keyspace.get("key", { consistency: "one" }));
    expect(early).toMatchObject({
      found: true,
      value: "new",
      receipt: { consistent: true, replicas: { answered: 1, durable: 0 } },
    });
    await cluster.until(writing);
    const late = await cluster.until(keyspace.get("key", { consistency: "one" }));
    expect(late).toMatchObject({
      value: "new",
      receipt: { replicas: { answered: 1, durable: 1 } },
    });
  });
});
