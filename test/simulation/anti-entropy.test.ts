import { describe, expect, test } from "vitest";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

/** Hints would bring most of it before anybody compares. */
const REPAIR = { interval: "2s", maxHints: 0 };

async function openRepairing(options: ClusterOptions = {}): Promise<Cluster> {
  return open({ keyspaces: { default: { repair: REPAIR } }, ...options });
}

async function heldBy(cluster: Cluster, id: string, key: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id).get(key, { consistency: "one" }));
  return read.found && !read.conflict ? read.value : undefined;
}

function roundsOf(cluster: Cluster, id: string): unknown {
  const engine = cluster.keyspace(id).describe() as {
    readonly shards: readonly { readonly antiEntropy: { readonly rounds: unknown } }[];
  };
  return engine.shards[0]?.antiEntropy.rounds;
}

/** n3 on one side, n1 and n2 on the other; each writes what the others miss. */
async function writeApart(cluster: Cluster, keys: number): Promise<void> {
  cluster.isolate("n3");
  await cluster.waitUntilReachable("n1", ["n2"]);
  await cluster.waitUntilReachable("n3", []);
  for (let i = 0; i < keys; i++) {
    await cluster.until(cluster.keyspace("n1").put(`there-${i}`, i, { consistency: "two" }));
    await cluster.until(cluster.keyspace("n3").put(`here-${i}`, i, { consistency: "one" }));
  }
  await cluster.until(cluster.keyspace("n1").delete("gone", { consistency: "two" }));
}

describe("anti-entropy", () => {
  test("makes all replicas equal soon after a partition heals, though nobody reads", async () => {
    const cluster = await openRepairing();
    await cluster.until(cluster.keyspace("n1").put("gone", 1, { consistency: "all" }));
    await writeApart(cluster, 30);
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.advance(300);
    for (const id of cluster.ids) {
      for (const i of [0, 7, 29]) {
        expect(await heldBy(cluster, id, `there-${i}`)).toBe(i);
        expect(await heldBy(cluster, id, `here-${i}`)).toBe(i);
      }
      expect(await heldBy(cluster, id, "gone")).toBeUndefined();
    }
  });

  test("says between whom nothing differs any more, and what it took", async () => {
    const cluster = await openRepairing();
    await writeApart(cluster, 5);
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const told = () => cluster.node("n1").events.filter(({ type }) => type === "replicas-equal");
    await cluster.waitFor(() => told().some(({ peer }) => peer === "n3"));
    expect(told().find(({ peer }) => peer === "n3")).toMatchObject({
      shard: 0,
      records: expect.any(Number),
    });
    expect(roundsOf(cluster, "n1")).toEqual([
      { node: "n2", round: expect.any(Number), settledAtMs: expect.any(Number) },
      { node: "n3", round: expect.any(Number), settledAtMs: expect.any(Number) },
    ]);
  });

  test("finds with a later round what was lost on its way", async () => {
    const cluster = await openRepairing({ seed: 3 });
    await writeApart(cluster, 20);
    cluster.network.heal();
    cluster.network.faults = { loss: 0.3, lanes: ["bulk"] };
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const settled = () =>
      (roundsOf(cluster, "n1") as { readonly node: string; readonly settledAtMs?: number }[]).find(
        ({ node }) => node === "n3",
      )?.settledAtMs;
    const before = cluster.time.nowMs;
    await cluster.waitFor(() => (settled() ?? 0) > 0 && cluster.time.nowMs > before + 500);
    expect(await heldBy(cluster, "n3", "there-19")).toBe(19);
    expect(await heldBy(cluster, "n1", "here-19")).toBe(19);
  });

  test("finds what was lost while everything else is written all the time", async () => {
    const cluster = await openRepairing();
    const writer = cluster.keyspace("n1");
    let next = 0;
    const write = async (forMs: number): Promise<void> => {
      for (const endMs = cluster.time.nowMs + forMs; cluster.time.nowMs < endMs; ) {
        for (let count = 0; count < 4; count++, next++) void writer.put(`key-${next % 100}`, next);
        await cluster.advance(10);
      }
    };
    await write(6_000);
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    await cluster.until(writer.put("lost", 1, { consistency: "one" }));
    await cluster.advance(20);
    cluster.network.faults = {};
    for (const id of ["n2", "n3"]) expect(await heldBy(cluster, id, "lost")).toBeUndefined();
    await write(5_000);
    for (const id of ["n2", "n3"]) expect(await heldBy(cluster, id, "lost")).toBe(1);
  });

  test("with the interval off, and no hints, leaves replicas as they are", async () => {
    const cluster = await open({
      keyspaces: { default: { repair: { interval: "off", maxHints: 0 } } },
    });
    await writeApart(cluster, 2);
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.advance(30_000);
    expect(await heldBy(cluster, "n3", "there-1")).toBeUndefined();
  });
});
