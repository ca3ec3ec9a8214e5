import { describe, expect, test } from "vitest";
import { DEFAULT_DEADLINES_MS, DYNAMO_LEVELS } from "../../src/strategies/dynamo/settings.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

/** What the host needs beyond the deadline to say so: timers of milliseconds. */
const SLACK_MS = 5;
/** `each-quorum` is a word about every datacenter: it is not lowered. */
const LOWERABLE = DYNAMO_LEVELS.filter((level) => level !== "each-quorum");

async function timed<T>(cluster: Cluster, call: Promise<T>) {
  const startMs = cluster.time.nowMs;
  const result = await cluster.until(call);
  return { result, tookMs: cluster.time.nowMs - startMs };
}

async function openIsolated(isNoticed: boolean): Promise<Cluster> {
  const cluster = await open({ keyspaces: { default: { strategy: "dynamo", shards: 4 } } });
  for (const key of ["a", "b", "c"]) {
    await cluster.until(cluster.keyspace("n1").put(key, 1, { consistency: "all" }));
  }
  cluster.isolate("n1");
  if (isNoticed) await cluster.waitUntilReachable("n1", ["n1"]);
  return cluster;
}

describe.each([
  ["has not noticed yet that it is alone", false],
  ["knows that it is alone", true],
])("a dynamo node that %s", (_, isNoticed) => {
  test.each(LOWERABLE)("answers a write and a read at %s within the deadline", async (level) => {
    const cluster = await openIsolated(isNoticed);
    const keyspace = cluster.keyspace("n1");
    const limitMs = DEFAULT_DEADLINES_MS[level] + SLACK_MS;
    for (const key of ["a", "b", "c", "new"]) {
      const write = await timed(cluster, keyspace.put(key, 2, { consistency: level }));
      expect(write.tookMs).toBeLessThanOrEqual(limitMs);
      const meets = level === "one" || level === "eventual";
      expect(write.result.receipt.consistent).toBe(meets);
      const read = await timed(cluster, keyspace.get(key, { consistency: level }));
      expect(read.tookMs).toBeLessThanOrEqual(limitMs);
      expect(read.result.found).toBe(true);
      expect(read.result.receipt.consistent).toBe(meets);
    }
  });

  test("says in time that each-quorum is not to be had", async () => {
    const cluster = await openIsolated(isNoticed);
    const keyspace = cluster.keyspace("n1");
    const limitMs = DEFAULT_DEADLINES_MS["each-quorum"] + SLACK_MS;
    const options = { consistency: "each-quorum" } as const;
    const write = await timed(cluster, faultOf(cluster, keyspace.put("a", 2, options)));
    expect(write.result.outcome).toBe(isNoticed ? "not-applied" : "unknown");
    const read = await timed(cluster, faultOf(cluster, keyspace.get("a", options)));
    expect(read.result.outcome).toBe("not-applied");
    expect(Math.max(write.tookMs, read.tookMs)).toBeLessThanOrEqual(limitMs);
  });

  test("answers within what a call itself gives it", async () => {
    const cluster = await openIsolated(isNoticed);
    const keyspace = cluster.keyspace("n1");
    const options = { consistency: "quorum", timeoutMs: 20 } as const;
    const write = await timed(cluster, keyspace.put("a", 2, options));
    const read = await timed(cluster, keyspace.get("a", options));
    expect(Math.max(write.tookMs, read.tookMs)).toBeLessThanOrEqual(20 + SLACK_MS);
    expect(read.result.found).toBe(true);
  });
});
