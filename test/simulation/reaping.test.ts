import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const REPAIR = { interval: "1s", reapAfter: "4s" } as const;

interface Settling {
  readonly floorMs?: number;
  readonly tombstones: number;
  readonly reaped: number;
  readonly rounds: number;
  readonly blockedBy?: readonly string[];
  readonly blockedBecause?: string;
}

function settlingOf(cluster: Cluster, id: string): Settling {
  const { shards } = cluster.keyspace(id).describe() as {
    readonly shards: readonly { readonly settling: Settling }[];
  };
  return (shards[0] as { readonly settling: Settling }).settling;
}

function openThree(strategy: unknown, options: object = {}): Promise<Cluster> {
  return open({ keyspaces: { default: { strategy, shards: 1, repair: REPAIR, ...options } } });
}

async function foundAt(cluster: Cluster, id: string, key: string): Promise<boolean> {
  const reading = cluster.keyspace(id).get(key, { consistency: "one" });
  return (await cluster.until(reading)).found;
}

async function writeAndDelete(cluster: Cluster, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.until(cluster.keyspace("n1").put(`k${i}`, i));
  for (let i = 1; i < count; i++) await cluster.until(cluster.keyspace("n2").delete(`k${i}`));
}

async function healAll(cluster: Cluster): Promise<void> {
  cluster.network.heal();
  for (const id of cluster.ids) {
    const others = cluster.ids.filter((other) => other !== id);
    await cluster.waitUntilReachable(id, others);
  }
}

describe.each(["tunable", "dynamo"])("tombstones of a %s keyspace", (strategy) => {
  test("go at every replica once all have them, and what lives stays", async () => {
    const cluster = await openThree(strategy);
    await writeAndDelete(cluster, 6);
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 5));
    for (const id of cluster.ids) {
      expect(settlingOf(cluster, id)).toMatchObject({ tombstones: 0 });
      expect(await foundAt(cluster, id, "k0")).toBe(true);
      expect(await foundAt(cluster, id, "k3")).toBe(false);
    }
    await cluster.until(cluster.keyspace("n3").put("k3", "again", { consistency: "all" }));
    for (const id of cluster.ids) expect(await foundAt(cluster, id, "k3")).toBe(true);
  });

  test("are known to a session that has seen the deletion, after they are gone", async () => {
    const cluster = await openThree(strategy);
    const session = cluster.keyspace("n1").withSession();
    await cluster.until(session.put("k0", 1));
    const { version } = await cluster.until(session.get("k0"));
    const context = strategy === "dynamo" && version !== undefined ? { context: version } : {};
    await cluster.until(session.delete("k0", context));
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 1));
    const elsewhere = cluster.keyspace("n2").withSession(session.token);
    expect(await cluster.until(elsewhere.get("k0", { consistency: "one" }))).toMatchObject({
      found: false,
    });
  });

  test("do not keep a session that has missed them from what is written afterwards", async () => {
    const cluster = await openThree(strategy);
    const session = cluster.keyspace("n1").withSession();
    const { version } = await cluster.until(session.put("k0", 1, { consistency: "all" }));
    const context = strategy === "dynamo" ? { context: version } : {};
    await cluster.until(cluster.keyspace("n2").delete("k0", context));
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 1));
    await cluster.until(cluster.keyspace("n3").put("k0", 2, { consistency: "all" }));
    for (const consistency of ["one", "quorum", "all"] as const) {
      expect(await cluster.until(session.get("k0", { consistency }))).toMatchObject({ value: 2 });
    }
  });

  test("stay while a replica cannot be reached; an alarm says so, and says when it is over", async () => {
    const cluster = await openThree(strategy);
    await writeAndDelete(cluster, 3);
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.until(cluster.keyspace("n1").delete("k0"));
    const { events } = cluster.node("n1");
    await cluster.waitFor(() => events.some(({ type }) => type === "reaping-blocked"));
    expect(events.find(({ type }) => type === "reaping-blocked")).toMatchObject({
      nodes: ["n3"],
      shard: 0,
    });
    await cluster.advance(20_000);
    expect(settlingOf(cluster, "n1")).toMatchObject({
      reaped: 0,
      tombstones: 3,
      blockedBy: ["n3"],
    });
    await healAll(cluster);
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 3));
    expect(events.some(({ type }) => type === "reaping-resumed")).toBe(true);
    expect(settlingOf(cluster, "n1").blockedBy).toBeUndefined();
  });

  test("stay while the replica that leads is away; the next one says so, and when it is back", async () => {
    const cluster = await openThree(strategy);
    await writeAndDelete(cluster, 3);
    cluster.isolate("n1");
    await cluster.waitUntilReachable("n2", ["n3"]);
    await cluster.until(cluster.keyspace("n3").delete("k0"));
    const types = (id: string) => cluster.node(id).events.map(({ type }) => type);
    await cluster.waitFor(() => types("n2").includes("reaping-blocked"));
    const said = cluster.node("n2").events.find(({ type }) => type === "reaping-blocked");
    expect(said).toMatchObject({ nodes: ["n1"], shard: 0, reason: "cannot be reached" });
    expect(settlingOf(cluster, "n2")).toMatchObject({ blockedBy: ["n1"], tombstones: 3 });
    expect(types("n3")).not.toContain("reaping-blocked");
    await healAll(cluster);
    expect(types("n2")).toContain("reaping-resumed");
    expect(settlingOf(cluster, "n2").blockedBy).toBeUndefined();
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 3));
  });

  test("are not given up for what one replica alone has acknowledged", async () => {
    const cluster = await openThree(strategy);
    await writeAndDelete(cluster, 3);
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n3", []);
    await cluster.until(cluster.keyspace("n3").put("alone", 1, { consistency: "one" }));
    await cluster.advance(30_000);
    await healAll(cluster);
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 2));
    for (const id of cluster.ids) expect(await foundAt(cluster, id, "alone")).toBe(true);
  });
});

describe("a strong read of what is settled", () => {
  test("is answered while only one of the replicas has the newest floor", async () => {
    const cluster = await openThree("tunable", { repair: { ...REPAIR, interval: "1h" } });
    await writeAndDelete(cluster, 2);
    await cluster.waitFor(() => cluster.ids.every((id) => settlingOf(cluster, id).reaped === 1));
    await cluster.until(cluster.keyspace("n1").delete("k0", { consistency: "all" }));
    let answers = 0;
    // Both have promised, and found their one span equal; that n1 adopts the floor they do not hear.
    cluster.network.onFrame = ({ to, lane }) => {
      if (to !== "n1" || lane !== "bulk" || ++answers < 4) return;
      cluster.network.faults = { loss: 1, lanes: ["bulk"] };
    };
    const floors = () => cluster.ids.map((id) => settlingOf(cluster, id).floorMs ?? 0);
    await cluster.waitFor(() => answers === 4);
    await cluster.advance(1_000);
    for (const id of cluster.ids) {
      for (const key of ["k1", "never-written"]) {
        const reading = cluster.keyspace(id).get(key, { consistency: "strong" });
        expect(await cluster.until(reading)).toMatchObject({ found: false });
      }
    }
    const [first = 0, ...others] = floors();
    expect(Math.max(...others)).toBeLessThan(first);
  });
});

describe.each(["tunable", "dynamo"])("of a %s shard that was moved", (strategy) => {
  test("nothing is settled that a node which left it has not handed over", async () => {
    const keyspaces = { default: { strategy, replicas: 3, shards: 1, repair: REPAIR } };
    const cluster = await open({ nodes: 7, persistent: true, keyspaces });
    const shard = { keyspace: "default", shard: 0 };
    const { replicas } = await cluster.until(cluster.node("n1").store.admin.members(shard));
    const [first, second, leaver] = replicas as [string, string, string];
    const joining = cluster.ids.find((id) => !replicas.includes(id)) as string;
    cluster.isolate(leaver);
    const alone = cluster.keyspace(leaver).put("alone", 1, { consistency: "one" });
    await cluster.until(alone);
    const { admin } = cluster.node(first).store;
    await cluster.until(admin.changeReplicas({ ...shard, replicas: [first, second, joining] }));
    await cluster.until(cluster.keyspace(first).put("gone", 1));
    await cluster.until(cluster.keyspace(first).delete("gone"));
    await cluster.advance(20_000);
    const lead = [first, second, joining].sort()[0] as string;
    expect(settlingOf(cluster, lead)).toMatchObject({ rounds: 0, blockedBy: [leaver] });
    await healAll(cluster);
    await cluster.waitFor(() => settlingOf(cluster, lead).rounds > 0);
    expect(await foundAt(cluster, first, "alone")).toBe(true);
    expect(await foundAt(cluster, joining, "alone")).toBe(true);
  });
});

describe.each(["tunable", "dynamo"])(
  "a %s shard whose leader of rounds has a clock that is wrong",
  (strategy) => {
    test("takes writes once the clock is set right", async () => {
      const cluster = await openThree(strategy);
      await cluster.until(cluster.keyspace("n2").put("k0", 0, { consistency: "all" }));
      const { environment } = cluster.node("n1");
      environment.wallOffsetMs = 3_600_000;
      await cluster.advance(10_000);
      environment.wallOffsetMs = 0;
      for (const consistency of ["all", "quorum", "one"] as const) {
        for (const id of cluster.ids) {
          const writing = cluster.keyspace(id).put("k0", id, { consistency });
          expect((await cluster.until(writing)).receipt.consistent).toBe(true);
        }
      }
      const before = settlingOf(cluster, "n1").rounds;
      await cluster.waitFor(() => settlingOf(cluster, "n1").rounds > before);
    });
  },
);
