import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

/** Nothing but hints makes replicas equal here. */
const REPAIR = { interval: "off" } as const;

interface Hints {
  readonly held: number;
  readonly delivered: number;
  readonly expired: number;
  readonly dropped: number;
  readonly refused: number;
  /** Of a node that stands in. */
  readonly copyBytes?: number;
}

function shardOf(cluster: Cluster, id: string, keyspace = "default") {
  const engine = cluster.keyspace(id, keyspace).describe() as {
    readonly shards: readonly { readonly hints: Hints; readonly replicas: readonly string[] }[];
  };
  return engine.shards[0];
}

function hintsOf(cluster: Cluster, id: string, keyspace?: string): Hints | undefined {
  return shardOf(cluster, id, keyspace)?.hints;
}

async function heldBy(cluster: Cluster, id: string, key: string, keyspace?: string) {
  const read = cluster.keyspace(id, keyspace).get(key, { consistency: "one" });
  return (await cluster.until(read)) as { readonly found: boolean; readonly value?: unknown };
}

async function healAll(cluster: Cluster): Promise<void> {
  cluster.network.heal();
  for (const id of cluster.ids) {
    const others = cluster.ids.filter((other) => other !== id);
    await cluster.waitUntilReachable(id, others);
  }
}

describe("hints of a tunable keyspace", () => {
  test("bring a replica that was away what it has missed, by the node that took the write", async () => {
    const cluster = await open({ keyspaces: { default: { repair: REPAIR } } });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    for (let i = 0; i < 20; i++) await cluster.until(cluster.keyspace("n1").put(`key-${i}`, i));
    await cluster.until(cluster.keyspace("n1").delete("key-3"));
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.held === 20);
    expect(hintsOf(cluster, "n2")?.held).toBe(0);
    await healAll(cluster);
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.held === 0);
    expect(await heldBy(cluster, "n3", "key-19")).toMatchObject({ found: true, value: 19 });
    expect(await heldBy(cluster, "n3", "key-3")).toMatchObject({ found: false });
    expect(hintsOf(cluster, "n1")).toEqual({
      held: 0,
      delivered: 20,
      expired: 0,
      dropped: 0,
      refused: 0,
    });
    expect(cluster.node("n1").events).toContainEqual(
      expect.objectContaining({ type: "hints-delivered", peer: "n3", shard: 0 }),
    );
  });

  // A batch that was sent again had another number, so that no acknowledgement was of the last one.
  test("are handed over also where each acknowledgement takes longer than a batch waits to be sent again", async () => {
    const cluster = await open({ keyspaces: { default: { repair: REPAIR } } });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    for (let i = 0; i < 20; i++) await cluster.until(cluster.keyspace("n1").put(`key-${i}`, i));
    await healAll(cluster);
    cluster.network.faults = { delayMs: [1_500, 1_500] };
    await cluster.advance(30_000);
    expect(hintsOf(cluster, "n1")).toMatchObject({ held: 0, delivered: 20 });
  });

  test("are a merge: what the replica has taken meanwhile stays, if it is newer", async () => {
    const cluster = await open({ keyspaces: { default: { repair: REPAIR } } });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.waitUntilReachable("n3", []);
    await cluster.until(cluster.keyspace("n1").put("key", "there"));
    await cluster.advance(10);
    await cluster.until(cluster.keyspace("n3").put("key", "here", { consistency: "one" }));
    await healAll(cluster);
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.delivered === 1);
    expect(await heldBy(cluster, "n3", "key")).toMatchObject({ value: "here" });
  });

  test("outlive a restart of the node that has them", async () => {
    const cluster = await open({ keyspaces: { default: { repair: REPAIR } }, persistent: true });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.until(cluster.keyspace("n1").put("key", "value"));
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.held === 1);
    await cluster.stop("n1");
    await cluster.restart("n1");
    cluster.isolate("n3");
    await cluster.ready("n1");
    expect(hintsOf(cluster, "n1")?.held).toBe(1);
    await healAll(cluster);
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.delivered === 1);
    expect(await heldBy(cluster, "n3", "key")).toMatchObject({ value: "value" });
  });

  test("are bounded in number and in age, and say what became of the others", async () => {
    const repair = { ...REPAIR, maxHints: 5, hintMaxAge: "20s" };
    const cluster = await open({ keyspaces: { default: { repair } } });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    for (let i = 0; i < 8; i++) await cluster.until(cluster.keyspace("n1").put(`key-${i}`, i));
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.dropped === 3);
    expect(hintsOf(cluster, "n1")?.held).toBe(5);
    await cluster.advance(25_000);
    await healAll(cluster);
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.held === 0);
    expect(hintsOf(cluster, "n1")).toEqual({
      held: 0,
      delivered: 0,
      expired: 5,
      dropped: 3,
      refused: 0,
    });
    expect(await heldBy(cluster, "n3", "key-1")).toMatchObject({ found: false });
  });

  test("are none with maxHints 0", async () => {
    const repair = { ...REPAIR, maxHints: 0 };
    const cluster = await open({ keyspaces: { default: { repair } } });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.until(cluster.keyspace("n1").put("key", 1));
    await cluster.waitFor(() => hintsOf(cluster, "n1")?.dropped === 1);
    expect(hintsOf(cluster, "n1")?.held).toBe(0);
  });
});

describe("copies of a node that stands in", () => {
  const KEYSPACES = { notes: { strategy: "dynamo", shards: 1, replicas: 3, repair: REPAIR } };

  async function openFive(repair: object = REPAIR) {
    const keyspaces = { notes: { ...KEYSPACES.notes, repair } };
    const cluster = await open({ nodes: 5, keyspaces });
    const replicas = shardOf(cluster, "n1", "notes")?.replicas ?? [];
    const others = cluster.ids.filter((id) => !replicas.includes(id));
    return { cluster, replicas, standIn: others[0] as string };
  }

  test("go to every replica, and leave the node when all of them have acknowledged", async () => {
    const { cluster, replicas, standIn } = await openFive();
    cluster.isolate(standIn);
    await cluster.waitUntilReachable(standIn, []);
    for (const i of [1, 2, 3])
      await cluster.until(cluster.keyspace(standIn, "notes").put(`k${i}`, i));
    expect(hintsOf(cluster, standIn, "notes")?.held).toBe(9);
    const last = replicas[2] as string;
    cluster.network.heal();
    cluster.isolate(last);
    await cluster.waitFor(() => hintsOf(cluster, standIn, "notes")?.delivered === 6);
    // One has not: the copies stay.
    expect(hintsOf(cluster, standIn, "notes")?.held).toBe(3);
    await healAll(cluster);
    await cluster.waitFor(() => hintsOf(cluster, standIn, "notes")?.held === 0);
    for (const id of replicas) {
      expect(await heldBy(cluster, id, "k2", "notes")).toMatchObject({ found: true, value: 2 });
    }
    // Nobody but the node itself can be asked now, and it has nothing any more.
    cluster.isolate(standIn);
    await cluster.waitUntilReachable(standIn, []);
    const fault = await faultOf(cluster, cluster.keyspace(standIn, "notes").get("k2"));
    expect(fault.code).toBe("NO_COPY_REACHABLE");
  });

  test.each([
    ["number", { maxHints: 2 }],
    ["bytes", { maxHintBytes: "1KiB" }],
  ])(
    "are bounded in %s: the write beyond is refused, and nothing of it is anywhere",
    async (_, bound) => {
      const { cluster, standIn } = await openFive({ ...REPAIR, ...bound });
      cluster.isolate(standIn);
      await cluster.waitUntilReachable(standIn, []);
      const notes = cluster.keyspace(standIn, "notes");
      await cluster.until(notes.put("a", "x".repeat(600)));
      await cluster.until(notes.put("b", "x".repeat(600)));
      const fault = await faultOf(cluster, notes.put("c", 1));
      expect([fault.code, fault.outcome]).toEqual(["OVERLOADED", "not-applied"]);
      await healAll(cluster);
      await cluster.waitFor(() => hintsOf(cluster, standIn, "notes")?.held === 0);
      expect(await cluster.until(notes.get("c"))).toMatchObject({ found: false });
      await cluster.until(notes.put("c", 1));
    },
  );

  test("are bounded in bytes where they grow, too, and not only where one more comes", async () => {
    const { cluster, replicas, standIn } = await openFive({ ...REPAIR, maxHintBytes: "1KiB" });
    const minter = replicas[0] as string;
    for (const one of [minter, standIn]) {
      for (const id of replicas.slice(1)) cluster.network.cut(one, id);
    }
    await cluster.waitUntilReachable(
      minter,
      cluster.ids.filter((id) => id !== minter && !replicas.includes(id)),
    );
    const notes = cluster.keyspace(minter, "notes");
    const keys = Array.from({ length: 8 }, (_, n) => `k${n}`);
    for (const key of keys) await cluster.until(notes.put(key, "x"));
    expect(hintsOf(cluster, standIn, "notes")?.held).toBeGreaterThanOrEqual(2 * keys.length);
    for (const key of keys) {
      const written = notes.put(key, "x".repeat(10_000), { consistency: "one" });
      await cluster.until(written.catch(() => undefined));
    }
    await cluster.advance(1_000);
    // Two replicas lack each of them; and one is taken while there is room.
    const { copyBytes } = hintsOf(cluster, standIn, "notes") ?? {};
    expect(copyBytes).toBeLessThan(2 * (1_024 + 10_500));
  });
});
