import { describe, expect, test } from "vitest";
import type { Level } from "../../src/core/model/levels.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

const EAST = ["n1", "n2", "n3"];
const WEST = ["n4", "n5", "n6"];

const STRATEGIES = [
  ["tunable", "tunable"],
  ["dynamo", "dynamo"],
] as const;
const PLANTED = [
  ["tunable", makeTunableStrategy({ eachCountedOverAll: true })],
  ["dynamo", makeDynamoStrategy({ eachCountedOverAll: true })],
] as const;

/** Three nodes in each of two datacenters; six replicas. */
async function openBoth(
  strategy: unknown,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Cluster> {
  const nodes = [...EAST, ...WEST].map((id) => [
    id,
    { datacenter: EAST.includes(id) ? "east" : "west" },
  ]);
  return open({
    nodes: 6,
    keyspaces: { default: { strategy, replicas: 6, ...more } },
    configuration: { cluster: { name: "two", nodes: Object.fromEntries(nodes) } },
  });
}

async function cutApart(cluster: Cluster): Promise<void> {
  for (const east of EAST) for (const west of WEST) cluster.network.cut(east, west);
  await cluster.waitUntilReachable("n1", ["n2", "n3"]);
  await cluster.waitUntilReachable("n4", ["n5", "n6"]);
}

const at = (consistency: Level) => ({ consistency });

describe.each(STRATEGIES)("two datacenters, %s", (_name, strategy) => {
  test("cut apart: local-quorum goes on at both, each-quorum fails at both, nothing applied", async () => {
    const cluster = await openBoth(strategy);
    await cutApart(cluster);
    for (const [node, other, value] of [
      ["n1", "n2", "of the east"],
      ["n4", "n6", "of the west"],
    ] as const) {
      const { receipt } = await cluster.until(
        cluster.keyspace(node).put("key", value, at("local-quorum")),
      );
      expect(receipt).toMatchObject({ achieved: "local-quorum", consistent: true });
      const read = await cluster.until(cluster.keyspace(other).get("key", at("local-quorum")));
      expect(read).toMatchObject({ found: true, value });
      expect(read.receipt).toMatchObject({ achieved: "local-quorum", consistent: true });
      const keyspace = cluster.keyspace(node);
      for (const call of [
        () => keyspace.put("key", "lost", at("each-quorum")),
        () => keyspace.get("key", at("each-quorum")),
      ]) {
        const fault = await faultOf(cluster, call());
        expect([fault.code, fault.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
        expect(fault.message).toMatch(/2 of n\d, n\d, n\d in east/);
        expect(fault.message).toMatch(/2 of n\d, n\d, n\d in west/);
      }
    }
    for (const node of ["n3", "n5"]) {
      const read = await cluster.until(cluster.keyspace(node).get("key", at("local-quorum")));
      expect(read).toMatchObject({ value: node === "n3" ? "of the east" : "of the west" });
    }
  });

  test("each-quorum is not lowered where availability is preferred; the outcome is true", async () => {
    const cluster = await openBoth(strategy, { partitionPolicy: "prefer-availability" });
    // Cut, and nobody has noticed yet: the write is sent.
    for (const east of EAST) for (const west of WEST) cluster.network.cut(east, west);
    const put = cluster.keyspace("n1").put("key", "half", at("each-quorum"));
    const read = cluster.keyspace("n1").get("other", at("each-quorum"));
    const [written, found] = await Promise.all([faultOf(cluster, put), faultOf(cluster, read)]);
    expect([written.code, written.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    expect(found.code).toBe("QUORUM_NOT_MET");
    // What is unknown may be there: here it is, in the east.
    const local = await cluster.until(cluster.keyspace("n2").get("key", at("local-quorum")));
    expect(local).toMatchObject({ found: true, value: "half" });
  });

  test("a write at each-quorum is seen at local-quorum through every node", async () => {
    const cluster = await openBoth(strategy);
    for (let round = 0; round < 10; round++) {
      const { receipt } = await cluster.until(
        cluster.keyspace("n2").put(`key ${round}`, round, at("each-quorum")),
      );
      expect(receipt).toMatchObject({ achieved: "each-quorum", consistent: true });
      for (const node of [...EAST, ...WEST]) {
        const read = await cluster.until(
          cluster.keyspace(node).get(`key ${round}`, at("local-quorum")),
        );
        expect(read).toMatchObject({ found: true, value: round });
      }
    }
  });

  test("a read at local-quorum asks nobody of the other datacenter", async () => {
    const cluster = await openBoth(strategy);
    await cluster.until(cluster.keyspace("n1").put("key", 1, at("all")));
    await cluster.advance(50);
    const frames = watchFrames(cluster);
    await cluster.until(cluster.keyspace("n1").get("key", at("local-quorum")));
    expect(frames.some((frame) => /n1>n[23]/.test(frame))).toBe(true);
    expect(frames.filter((frame) => /n1>n[456]/.test(frame))).toEqual([]);
  });
});

test.each(PLANTED)(
  "%s counting each-quorum over all is found out by a read",
  async (_name, strategy) => {
    const cluster = await openBoth(strategy);
    // One of the west can be reached from the east: four of six, and no majority there.
    for (const east of EAST) for (const west of ["n5", "n6"]) cluster.network.cut(east, west);
    for (const west of ["n5", "n6"]) cluster.network.cut("n4", west);
    await cluster.waitUntilReachable("n1", ["n2", "n3", "n4"]);
    const { receipt } = await cluster.until(
      cluster.keyspace("n1").put("key", "new", at("each-quorum")),
    );
    expect(receipt).toMatchObject({ achieved: "each-quorum", consistent: true });
    await cluster.waitUntilReachable("n5", ["n6"]);
    const read = await cluster.until(cluster.keyspace("n5").get("key", at("local-quorum")));
    expect(read.found).toBe(false);
  },
);

test("nodes without a datacenter are in one: both levels are a quorum there", async () => {
  const cluster = await open({});
  for (const level of ["local-quorum", "each-quorum"] as const) {
    const { receipt } = await cluster.until(cluster.keyspace("n1").put("key", 1, at(level)));
    expect(receipt).toMatchObject({ asked: level, achieved: level, consistent: true });
    expect(receipt.replicas.answered).toBeGreaterThanOrEqual(2);
  }
});

describe("a keyspace with fewer replicas than datacenters", () => {
  test("is refused by name where it reads or writes at local-quorum", async () => {
    const cluster = openBoth("tunable", { replicas: 1, read: "local-quorum" });
    await expect(cluster).rejects.toThrow(
      /keyspaces\.default\.read.*local-quorum.*1 replicas over 2 datacenters/,
    );
  });

  test("refuses local-quorum at a node whose datacenter holds no copy, with what there is", async () => {
    const cluster = await openBoth("tunable", { replicas: 1 });
    const faults = await Promise.all(
      ["n1", "n4"]
        .map((node) =>
          cluster
            .keyspace(node)
            .get("key", at("local-quorum"))
            .catch((error: unknown) => error),
        )
        .map((call) => cluster.until(call)),
    );
    const fault = faults.find((each) => each instanceof Error);
    expect(fault).toMatchObject({
      code: "INVALID_LEVEL",
      allowed: expect.arrayContaining(["one"]),
    });
    expect(faults.filter((each) => !(each instanceof Error))).toHaveLength(1);
  });
});

describe("a number as level, on dynamo", () => {
  const five = { nodes: 5, keyspaces: { default: { strategy: "dynamo", replicas: 5, read: 4 } } };

  test("waits for so many, in the configuration and in a call", async () => {
    const cluster = await open(five);
    const keyspace = cluster.keyspace("n1");
    const put = await cluster.until(keyspace.put("key", 1, { consistency: 4 }));
    expect(put.receipt).toMatchObject({ asked: "4", achieved: "4", replicas: { answered: 4 } });
    const read = await cluster.until(keyspace.get("key"));
    expect(read.receipt).toMatchObject({ asked: "4", achieved: "4", consistent: true });
    for (const consistency of [0, 6, 1.5, Number.NaN]) {
      const fault = await faultOf(cluster, keyspace.put("key", 2, { consistency }));
      expect([fault.code, fault.outcome]).toEqual(["INVALID_LEVEL", "not-applied"]);
      expect(fault.allowed).toContain("a whole number from 1 to 5");
    }
  });

  test("that cannot be met is lowered as the policy has it, and the receipt says so", async () => {
    const cluster = await open(five);
    for (const id of ["n4", "n5"]) cluster.isolate(id);
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const { receipt } = await cluster.until(
      cluster.keyspace("n1").put("key", 1, { consistency: 4 }),
    );
    expect(receipt).toMatchObject({ asked: "4", achieved: "quorum", consistent: false });
  });

  test("is refused on tunable", async () => {
    const cluster = await open({});
    const keyspace = cluster.keyspace("n1");
    const fault = await faultOf(cluster, keyspace.get("key", { consistency: 2 }));
    expect(fault).toMatchObject({ code: "INVALID_LEVEL", outcome: "not-applied" });
  });
});
