import { describe, expect, test } from "vitest";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const STRATEGIES = ["tunable", "dynamo"] as const;
const PLANTED = [
  ["tunable", makeTunableStrategy({ digestMismatchIgnored: true })],
  ["dynamo", makeDynamoStrategy({ digestMismatchIgnored: true })],
] as const;

const QUIET = { repair: { interval: "off", maxHints: 0 } };

async function openThree(strategy: unknown, more: object = {}): Promise<Cluster> {
  return open({ keyspaces: { default: { strategy, ...QUIET, ...more } } });
}

/** Bytes of all frames of a read at quorum, on average of twenty. */
async function bytesOfRead(strategy: string, digestAbove: string, length: number): Promise<number> {
  const cluster = await openThree(strategy, { digestAbove, hedge: "off" });
  const keyspace = cluster.keyspace("n1");
  await cluster.until(keyspace.put("key", "x".repeat(length), { consistency: "all" }));
  await cluster.advance(100);
  let bytes = 0;
  cluster.network.onFrame = (frame) => {
    if (frame.lane === "log") bytes += frame.bytes;
  };
  for (let i = 0; i < 20; i++) await cluster.until(keyspace.get("key"));
  return bytes / 20;
}

/** n1 has the old value of the key, n2 and n3 the new one. */
async function openDivided(strategy: unknown, more: object = {}): Promise<Cluster> {
  const cluster = await openThree(strategy, { digestAbove: 100, ...more });
  const old = "old ".repeat(50);
  const { version } = await cluster.until(
    cluster.keyspace("n2").put("key", old, { consistency: "all" }),
  );
  cluster.isolate("n1");
  await cluster.waitUntilReachable("n2", ["n3"]);
  const context = { context: version };
  await cluster.until(cluster.keyspace("n2").put("key", "new ".repeat(50), context));
  cluster.network.heal();
  await cluster.waitUntilReachable("n1", ["n2", "n3"]);
  return cluster;
}

describe.each(STRATEGIES)("a read at quorum of %s", (strategy) => {
  test("of a long value moves a digest, and of a short one what it did", async () => {
    const long = await Promise.all(
      ["4KiB", "off"].map((above) => bytesOfRead(strategy, above, 16_384)),
    );
    expect((long[0] as number) * 40).toBeLessThan(long[1] as number);
    const short = await Promise.all(
      ["4KiB", "off"].map((above) => bytesOfRead(strategy, above, 256)),
    );
    // The request says from where on.
    expect((short[0] as number) - (short[1] as number)).toBeLessThanOrEqual(8);
  });

  test("whose digests differ finds the newer value, and mends its own replica", async () => {
    const cluster = await openDivided(strategy);
    const { receipt, ...read } = await cluster.until(cluster.keyspace("n1").get("key"));
    expect(read).toMatchObject({ found: true, value: "new ".repeat(50) });
    expect(receipt).toMatchObject({ consistent: true, repaired: 1 });
    await cluster.advance(50);
    const here = await cluster.until(cluster.keyspace("n1").get("key", { consistency: "one" }));
    expect(here).toMatchObject({ value: "new ".repeat(50) });
    const { coordinator } = cluster.keyspace("n1").describe() as {
      coordinator: { digests: { fetched: number } };
    };
    expect(coordinator.digests.fetched).toBe(1);
  });

  test("that gets an older digest mends that replica, and asks nothing more", async () => {
    const cluster = await openDivided(strategy, { hedge: "always" });
    const read = await cluster.until(cluster.keyspace("n2").get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "new ".repeat(50), receipt: { repaired: 1 } });
    await cluster.advance(50);
    const here = await cluster.until(cluster.keyspace("n1").get("key", { consistency: "one" }));
    expect(here).toMatchObject({ value: "new ".repeat(50) });
    const { coordinator } = cluster.keyspace("n2").describe() as {
      coordinator: { digests: object };
    };
    expect(coordinator.digests).toEqual({ matched: 1, older: 1, fetched: 0 });
  });

  test("of nothing here finds what a digest speaks of", async () => {
    const cluster = await openThree(strategy, { digestAbove: 100 });
    cluster.isolate("n1");
    await cluster.waitUntilReachable("n2", ["n3"]);
    await cluster.until(cluster.keyspace("n2").put("key", "x".repeat(500)));
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const read = await cluster.until(cluster.keyspace("n1").get("key"));
    expect(read).toMatchObject({ found: true, receipt: { consistent: true } });
  });
});

test.each(PLANTED)(
  "%s taking any digest for a match is found out by a read",
  async (_name, planted) => {
    const cluster = await openDivided(planted);
    const read = await cluster.until(cluster.keyspace("n1").get("key"));
    expect(read).toMatchObject({ value: "old ".repeat(50), receipt: { consistent: true } });
  },
);

test("at strong, a digest that matches is a copy that need not be written back", async () => {
  const cluster = await openThree("tunable", { digestAbove: 100 });
  const keyspace = cluster.keyspace("n1");
  const strong = { consistency: "strong" } as const;
  await cluster.until(keyspace.put("key", "x".repeat(500), strong));
  await cluster.advance(50);
  const frames: number[] = [];
  cluster.network.onFrame = ({ bytes, lane }) => lane === "log" && frames.push(bytes);
  const read = await cluster.until(keyspace.get("key", strong));
  expect(read).toMatchObject({ found: true, receipt: { achieved: "strong" } });
  expect(Math.max(...frames)).toBeLessThan(300);
});
