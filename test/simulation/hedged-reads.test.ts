import { describe, expect, test } from "vitest";
import type { SilentStrategy } from "../../src/core/contracts/strategy.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

const STRATEGIES = ["tunable", "dynamo"] as const;
const PLANTED: readonly (readonly [string, SilentStrategy])[] = [
  ["tunable", makeTunableStrategy({ hedgeCountsTwice: true }) as SilentStrategy],
  ["dynamo", makeDynamoStrategy({ hedgeCountsTwice: true }) as unknown as SilentStrategy],
];

/** Silence is not taken for absence for a while. */
const PATIENT = { detector: { heartbeatInterval: 500, suspectAfter: 5_000 } };

async function openThree(strategy: unknown, hedge: unknown): Promise<Cluster> {
  const cluster = await open({
    keyspaces: { default: { strategy, hedge } },
    configuration: PATIENT,
  });
  const keyspace = cluster.keyspace("n1");
  await cluster.until(keyspace.put("key", "value", { consistency: "all" }));
  for (let i = 0; i < 8; i++) await cluster.until(keyspace.get("key"));
  return cluster;
}

/** The longest of so many reads, one after the other, in milliseconds of virtual time. */
async function longestOf(cluster: Cluster, count: number): Promise<number> {
  let longestMs = 0;
  for (let i = 0; i < count; i++) {
    const { receipt } = await cluster.until(cluster.keyspace("n1").get("key"));
    longestMs = Math.max(longestMs, receipt.durationMs);
  }
  return longestMs;
}

describe.each(STRATEGIES)("a read at quorum of %s", (strategy) => {
  test("asks one peer of the two, each in its turn", async () => {
    const cluster = await openThree(strategy, "auto");
    const frames = watchFrames(cluster);
    for (let i = 0; i < 10; i++) await cluster.until(cluster.keyspace("n1").get("key"));
    const asked = frames.filter((frame) => /n1>n[23]/.test(frame));
    expect(asked.length).toBeLessThanOrEqual(14);
    for (const peer of ["n1>n2", "n1>n3"]) expect(asked).toContain(peer);
  });

  test("does not wait for a replica that has fallen silent, and asks it no more", async () => {
    const cluster = await openThree(strategy, "auto");
    cluster.network.cutOneWay("n3", "n1");
    expect(await longestOf(cluster, 20)).toBeLessThan(20);
  });

  test("waits for half of its time with hedging off", async () => {
    const cluster = await openThree(strategy, "off");
    cluster.network.cutOneWay("n3", "n1");
    expect(await longestOf(cluster, 4)).toBeGreaterThanOrEqual(100);
  });

  test("says what hedging has cost", async () => {
    const cluster = await openThree(strategy, 5);
    cluster.network.cutOneWay("n3", "n1");
    await longestOf(cluster, 4);
    const { coordinator } = cluster.keyspace("n1").describe() as {
      coordinator: { hedges: { setting: number; hedged: number; won: number } };
    };
    expect(coordinator.hedges).toMatchObject({ setting: 5, hedged: 1, won: 1 });
  });
});

describe("an answer to a hedge that counts for the silent replica, too", () => {
  /** A node without a copy reads: the only replica that answers it has missed the write. */
  async function staleRead(strategy: unknown, readsBefore = 0) {
    const cluster = await open({
      nodes: 4,
      keyspaces: { default: { strategy, replicas: 3, hedge: 5, repair: { interval: "off" } } },
      configuration: PATIENT,
    });
    const shards = (id: string) =>
      cluster.keyspace(id).describe() as { hosted: number; shards: { replicas: string[] }[] };
    const reader = cluster.ids.find((id) => shards(id).hosted === 0) as string;
    const [writer, second, stale] = cluster.ids.filter((id) => id !== reader) as [
      string,
      string,
      string,
    ];
    await cluster.until(cluster.keyspace(writer).put("key", "old", { consistency: "all" }));
    // Whose turn it is.
    for (let i = 0; i < readsBefore; i++) await cluster.until(cluster.keyspace(reader).get("key"));
    cluster.network.cut(writer, stale);
    await cluster.until(cluster.keyspace(writer).put("key", "new"));
    for (const silent of [writer, second]) cluster.network.cutOneWay(silent, reader);
    cluster.network.cut(second, stale);
    return { cluster, reading: () => cluster.keyspace(reader).get("key") };
  }

  test.each(PLANTED)(
    "shows in %s as a stale read that says it met its level",
    async (_name, planted) => {
      const found: unknown[] = [];
      for (let readsBefore = 0; readsBefore < 3; readsBefore++) {
        const { cluster, reading } = await staleRead(planted, readsBefore);
        const result = await cluster.until(reading().catch(() => undefined));
        if (result?.receipt.consistent === true && "value" in result) found.push(result.value);
      }
      expect(found).toContain("old");
    },
  );

  test("does not in either: too few answers come", async () => {
    for (const strategy of ["tunable", "dynamo"]) {
      const { cluster, reading } = await staleRead(strategy);
      if (strategy === "tunable") {
        expect(await faultOf(cluster, reading())).toMatchObject({ code: "QUORUM_NOT_MET" });
      } else {
        const { receipt } = await cluster.until(reading());
        expect(receipt.consistent).toBe(false);
      }
    }
  });
});
