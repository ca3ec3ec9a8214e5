import { describe, expect, test } from "vitest";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const NODES = ["n1", "n2", "n3"];

function openRaft(more: ClusterOptions & { raft?: Record<string, unknown> } = {}) {
  const { raft, ...options } = more;
  return open({ ...options, keyspaces: { default: { strategy: "raft", shards: 1, ...raft } } });
}

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

/** The node that leads, once one does. */
async function leaderOf(cluster: Cluster, among: readonly string[] = NODES): Promise<string> {
  const leads = (id: string) =>
    cluster.runningIds().includes(id) && shardOf(cluster, id).role === "leader";
  await cluster.waitFor(() => among.some(leads));
  return among.find(leads) as string;
}

async function followerOf(cluster: Cluster): Promise<string> {
  const leader = await leaderOf(cluster);
  return NODES.find((id) => id !== leader) as string;
}

describe("reads of a raft keyspace", () => {
  test("show at every level but the weak ones what was written, at every node", async () => {
    const cluster = await openRaft();
    const written = await cluster.until(cluster.keyspace("n1").put("a", 1));
    expect(written.receipt).toMatchObject({
      asked: "strong",
      achieved: "strong",
      consistent: true,
      replicas: { total: 3, answered: 2, durable: 2, standIns: 0 },
    });
    for (const id of NODES) {
      for (const consistency of ["strong", "quorum", "follower", "lease"] as const) {
        const read = await cluster.until(cluster.keyspace(id).get("a", { consistency }));
        expect(read).toMatchObject({ found: true, value: 1, version: written.version });
      }
      expect(await cluster.until(cluster.keyspace(id).get("none"))).toMatchObject({ found: false });
    }
  });

  test("say what was asked and what was reached", async () => {
    const cluster = await openRaft();
    const leader = await leaderOf(cluster);
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    await cluster.advance(500);
    const reached: Record<string, string> = {};
    for (const consistency of [
      "strong",
      "quorum",
      "lease",
      "follower",
      "session",
      "stale",
      "eventual",
      "one",
    ] as const) {
      const { receipt } = await cluster.until(cluster.keyspace(leader).get("a", { consistency }));
      expect(receipt.asked).toBe(consistency);
      reached[consistency] = receipt.achieved;
    }
    expect(reached).toEqual({
      strong: "strong",
      quorum: "strong",
      lease: "lease",
      follower: "follower",
      session: "session",
      stale: "stale",
      eventual: "stale",
      one: "stale",
    });
  });

  test("are given at once by the node that can vouch for them alone, and by no other", async () => {
    const cluster = await openRaft();
    const leader = await leaderOf(cluster);
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    await cluster.advance(500);
    const getNow = (id: string, consistency: "lease" | "stale" | "strong") =>
      cluster.keyspace(id).getNow("a", { consistency });
    for (const id of NODES) {
      const leased = getNow(id, "lease");
      if (id === leader) expect(leased).toMatchObject({ value: 1, receipt: { achieved: "lease" } });
      else expect(leased).toBeUndefined();
      expect(getNow(id, "stale")).toMatchObject({ value: 1, receipt: { achieved: "stale" } });
      expect(getNow(id, "strong")).toBeUndefined();
    }
    cluster.isolate(leader);
    await cluster.advance(500);
    expect(getNow(leader, "lease")).toBeUndefined();
    expect(getNow(leader, "stale")).toMatchObject({ value: 1 });
  });

  test("refuse all by name, and writes too", async () => {
    const cluster = await openRaft();
    const keyspace = cluster.keyspace("n1");
    const consistency = "all";
    for (const call of [
      () => keyspace.get("a", { consistency }),
      () => keyspace.put("a", 1, { consistency }),
    ]) {
      const fault = await faultOf(cluster, call());
      expect(fault.code).toBe("INVALID_LEVEL");
      expect(fault.message).toContain('"all"');
      expect(fault.message).toContain("strong");
    }
  });

  test("of a session show what it wrote, at a node that lags", async () => {
    const cluster = await openRaft();
    const follower = await followerOf(cluster);
    const leader = await leaderOf(cluster);
    const written = await cluster.until(cluster.keyspace(leader).put("a", 1, { session: "begin" }));
    const { session } = written as { session?: string };
    expect(session).toEqual(expect.any(String));
    const read = await cluster.until(
      cluster.keyspace(follower).get("a", {
        consistency: "session",
        ...(session !== undefined && { session }),
      }),
    );
    expect(read).toMatchObject({ found: true, value: 1 });
  });
});

describe("a session of a raft keyspace whose client goes to another node", () => {
  test("is shown no less than it has read, though that node lags", async () => {
    const cluster = await openRaft();
    const leader = cluster.keyspace(await leaderOf(cluster));
    const follower = cluster.keyspace(await followerOf(cluster));
    await cluster.until(leader.put("a", "old"));
    await cluster.advance(500);
    await cluster.until(leader.put("a", "new"));
    const read = await cluster.until(leader.get("a", { consistency: "lease", session: "begin" }));
    expect(read).toMatchObject({ value: "new", session: expect.any(String) });
    const { session } = read as { readonly session: string };
    expect(follower.getNow("a", { consistency: "stale" })).toMatchObject({ value: "old" });
    const again = follower.get("a", { consistency: "session", session });
    expect(await cluster.until(again)).toMatchObject({ value: "new" });
  });
});

describe("writes of a raft keyspace", () => {
  test("hold their condition, and show what is there instead", async () => {
    const cluster = await openRaft();
    const keyspace = cluster.keyspace("n2");
    const first = await cluster.until(keyspace.put("a", 1, { ifAbsent: true }));
    expect(first).toMatchObject({ ok: true });
    const second = await cluster.until(keyspace.put("a", 2, { ifAbsent: true }));
    expect(second).toMatchObject({
      ok: false,
      reason: "exists",
      current: { found: true, value: 1 },
    });
    const { version } = await cluster.until(cluster.keyspace("n3").put("a", 3));
    expect(await cluster.until(keyspace.put("a", 4, { ifVersion: version }))).toMatchObject({
      ok: true,
    });
    expect(await cluster.until(keyspace.delete("a", { ifVersion: version }))).toMatchObject({
      ok: false,
      reason: "version-mismatch",
      current: { value: 4 },
    });
  });

  test("refuse a version that no raft keyspace has made", async () => {
    const cluster = await openRaft();
    const fault = await faultOf(cluster, cluster.keyspace("n1").put("a", 1, { ifVersion: "x7" }));
    expect([fault.code, fault.outcome]).toEqual(["INVALID_ARGUMENT", "not-applied"]);
    expect(fault.message).toContain('"x7"');
  });

  test("modify counts every one of many at once", async () => {
    const cluster = await openRaft();
    const add = (id: string) =>
      cluster.keyspace(id).modify("n", (count) => ((count as number | undefined) ?? 0) + 1);
    await cluster.until(Promise.all(NODES.flatMap((id) => [add(id), add(id), add(id)])));
    expect(await cluster.until(cluster.keyspace("n1").get("n"))).toMatchObject({ value: 9 });
  });

  test("a batch is there whole", async () => {
    const cluster = await openRaft();
    const keyspace = cluster.keyspace("n1");
    await cluster.until(keyspace.put("c", 1));
    const results = await cluster.until(
      keyspace.batch([{ put: "a", value: 1 }, { put: "b", value: 2 }, { delete: "c" }]),
    );
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
    const many = await cluster.until(cluster.keyspace("n2").getMany(["a", "b", "c"]));
    expect(many.map((each) => each.ok && each.result.found)).toEqual([true, true, false]);
  });

  test("that expire are gone at every replica, and are told as expired", async () => {
    const cluster = await openRaft();
    const events: string[] = [];
    const watching = cluster.keyspace("n2").changes$.subscribe(({ type, key }) => {
      events.push(`${type} ${key}`);
    });
    await cluster.advance(50);
    await cluster.until(cluster.keyspace("n1").put("a", 1, { ttlMs: 300 }));
    await cluster.advance(200);
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ found: true });
    await cluster.advance(400);
    for (const id of NODES) {
      const read = await cluster.until(cluster.keyspace(id).get("a", { consistency: "stale" }));
      expect(read.found).toBe(false);
      expect(shardOf(cluster, id).expiringRows).toBe(0);
    }
    expect(events.filter((event) => event.endsWith(" a"))).toEqual(["put a", "expire a"]);
    watching.unsubscribe();
  });

  test("expire after their time, though all clocks were an hour ahead before", async () => {
    const hourMs = 3_600_000;
    const cluster = await openRaft({ persistent: true, skewsMs: [hourMs, hourMs, hourMs] });
    await cluster.until(cluster.keyspace("n1").put("before", 1));
    for (const id of NODES) {
      await cluster.stop(id);
      cluster.wallOffsetMs.set(id, 0);
      await cluster.restart(id);
      await cluster.ready();
    }
    await cluster.until(cluster.keyspace("n1").put("a", 1, { ttlMs: 300 }));
    await cluster.advance(200);
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ found: true });
    await cluster.advance(400);
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ found: false });
    for (const id of NODES) expect(shardOf(cluster, id).expiringRows).toBe(0);
  });

  test("under one id are one write, at whatever node they are tried again", async () => {
    const cluster = await openRaft();
    for (const operationId of [cluster.node("n1").store.operationId("default"), "order-17"]) {
      const first = await cluster.until(cluster.keyspace("n1").put("a", 1, { operationId }));
      await cluster.until(cluster.keyspace("n2").put("a", 2));
      const again = await cluster.until(cluster.keyspace("n3").put("a", 1, { operationId }));
      expect(again.version).toBe(first.version);
      expect(await cluster.until(cluster.keyspace("n2").get("a"))).toMatchObject({ value: 2 });
      const fault = await faultOf(cluster, cluster.keyspace("n2").put("a", 9, { operationId }));
      expect([fault.code, fault.outcome]).toEqual(["OPERATION_ID_REUSED", "not-applied"]);
    }
  });

  test("are settled by resolve: what was not applied by then never is", async () => {
    const cluster = await openRaft();
    const { store } = cluster.node("n1");
    const used = store.operationId("default");
    const unused = store.operationId("default");
    await cluster.until(cluster.keyspace("n2").put("a", 1, { operationId: used }));
    expect(await cluster.until(store.resolve(used))).toEqual({ outcome: "applied" });
    expect(await cluster.until(store.resolve(unused))).toEqual({ outcome: "not-applied" });
    const fault = await faultOf(
      cluster,
      cluster.keyspace("n3").put("a", 2, { operationId: unused }),
    );
    expect([fault.code, fault.outcome]).toEqual(["OPERATION_FENCED", "not-applied"]);
    expect(await cluster.until(store.resolve(unused))).toEqual({ outcome: "not-applied" });
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ value: 1 });
  });

  test("are told to watchers at every node, in the order of the log", async () => {
    const cluster = await openRaft();
    const seen = new Map<string, string[]>(NODES.map((id) => [id, []]));
    const watches = NODES.map((id) =>
      cluster.keyspace(id).changes$.subscribe(({ type, key, value }) => {
        if (key !== undefined) seen.get(id)?.push(`${type} ${key} ${value ?? ""}`);
      }),
    );
    await cluster.advance(100);
    for (let n = 1; n <= 5; n++) await cluster.until(cluster.keyspace("n1").put("a", n));
    await cluster.until(cluster.keyspace("n2").delete("a"));
    await cluster.advance(1_500);
    const told = ["put a 1", "put a 2", "put a 3", "put a 4", "put a 5", "delete a "];
    for (const id of NODES) expect(seen.get(id)).toEqual(told);
    for (const watch of watches) watch.unsubscribe();
  });

  test("are scanned in the order of their keys over all shards, page by page", async () => {
    const cluster = await openRaft({
      raft: { shards: 4 },
      configuration: { limits: { scanPage: 7 } },
    });
    const keys = Array.from({ length: 40 }, (_, n) => `k${`${n}`.padStart(2, "0")}`);
    const results = await cluster.until(
      cluster.keyspace("n1").putMany(keys.map((key) => [key, key] as const)),
    );
    expect(results.every(({ ok }) => ok)).toBe(true);
    for (const consistency of ["strong", "stale"] as const) {
      if (consistency === "stale") await cluster.advance(500);
      const found: string[] = [];
      const scanning = (async () => {
        const entries = cluster.keyspace("n3").scan({ consistency, prefix: "k" });
        for await (const { key, value } of entries) if (key === value) found.push(key);
      })();
      await cluster.until(scanning);
      expect(found).toEqual(keys);
    }
  });
});

describe("a raft keyspace without a majority", () => {
  test("refuses writes and strong reads, and serves stale ones", async () => {
    const cluster = await openRaft();
    const follower = await followerOf(cluster);
    await cluster.until(cluster.keyspace(follower).put("a", 1));
    await cluster.advance(500);
    cluster.isolate(follower);
    await cluster.waitUntilReachable(follower, []);
    const keyspace = cluster.keyspace(follower);
    for (const call of [
      () => keyspace.put("a", 2),
      () => keyspace.get("a"),
      () => keyspace.delete("a"),
    ]) {
      const fault = await faultOf(cluster, call());
      expect([fault.code, fault.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
    }
    const stale = await cluster.until(keyspace.get("a", { consistency: "stale" }));
    expect(stale).toMatchObject({ found: true, value: 1 });
    await expect(
      cluster.until(cluster.node(follower).store.ready({ timeoutMs: 50 })),
    ).rejects.toThrow();
  });

  test("an old leader that is cut off answers unknown, and its write is not both there and not", async () => {
    const cluster = await openRaft();
    const leader = await leaderOf(cluster);
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    cluster.isolate(leader);
    const fault = await faultOf(cluster, cluster.keyspace(leader).put("a", 2, { timeoutMs: 400 }));
    expect([fault.code, fault.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    const others = NODES.filter((id) => id !== leader);
    await leaderOf(cluster, others);
    const next = cluster.keyspace(others[0] as string);
    expect(await cluster.until(next.get("a"))).toMatchObject({ value: 1 });
    const { outcome } = await cluster.until(
      cluster.node(others[0] as string).store.resolve(fault.operationId as string),
    );
    expect(outcome).toBe("not-applied");
    cluster.network.heal();
    await cluster.advance(3_000);
    const read = await cluster.until(cluster.keyspace(leader).get("a"));
    expect(read).toMatchObject({ value: 1 });
    const retried = await faultOf(
      cluster,
      cluster.keyspace(leader).put("a", 2, { operationId: fault.operationId as string }),
    );
    expect(retried.code).toBe("OPERATION_FENCED");
  });
});

describe("a raft keyspace whose leader dies", () => {
  test("has a new one within an election, and every acknowledged write", async () => {
    const cluster = await openRaft({ persistent: true });
    const leader = await leaderOf(cluster);
    const others = NODES.filter((id) => id !== leader);
    for (let n = 0; n < 20; n++) await cluster.until(cluster.keyspace(leader).put(`k${n}`, n));
    cluster.kill(leader);
    const writing = cluster.keyspace(others[0] as string).put("after", 1);
    expect(await cluster.until(writing)).toMatchObject({ receipt: { achieved: "strong" } });
    const many = await cluster.until(
      cluster.keyspace(others[1] as string).getMany(Array.from({ length: 20 }, (_, n) => `k${n}`)),
    );
    expect(many.every((each) => each.ok && each.result.found)).toBe(true);
    await cluster.restart(leader);
    await cluster.ready(leader);
    expect(await cluster.until(cluster.keyspace(leader).get("after"))).toMatchObject({ value: 1 });
    await cluster.advance(2_000);
    const chains = NODES.map((id) => [shardOf(cluster, id).applied, shardOf(cluster, id).chain]);
    expect(chains[1]).toEqual(chains[0]);
    expect(chains[2]).toEqual(chains[0]);
  });
});

describe("a raft keyspace that keeps little of its log", () => {
  test("gives a replica that was away a snapshot, with sessions and all, and goes on", async () => {
    const cluster = await openRaft({ persistent: true, raft: { retainedLog: "1KiB" } });
    const leader = await leaderOf(cluster);
    const away = await followerOf(cluster);
    const operationId = cluster.node(leader).store.operationId("default");
    await cluster.until(cluster.keyspace(leader).put("once", 1, { operationId }));
    cluster.kill(away);
    for (let n = 0; n < 60; n++) {
      await cluster.until(cluster.keyspace(leader).put(`k${n % 20}`, "x".repeat(100) + n));
    }
    await cluster.until(cluster.keyspace(leader).delete("k0"));
    await cluster.restart(away);
    await cluster.ready(away);
    await cluster.waitFor(
      () => shardOf(cluster, away).applied === shardOf(cluster, leader).applied,
    );
    const types = cluster.node(away).events.map(({ type }) => type);
    expect(types).toContain("raft-snapshot-installed");
    expect(shardOf(cluster, away).chain).toBe(shardOf(cluster, leader).chain);
    const stale = (key: string) =>
      cluster.until(cluster.keyspace(away).get(key, { consistency: "stale" }));
    expect(await stale("k0")).toMatchObject({ found: false });
    expect(await stale("k19")).toMatchObject({ value: `${"x".repeat(100)}59` });
    const again = await cluster.until(cluster.keyspace(away).put("once", 1, { operationId }));
    const once = await cluster.until(cluster.keyspace(away).get("once"));
    expect(once).toMatchObject({ version: again.version });
    cluster.kill(leader);
    await cluster.until(cluster.keyspace(away).put("after", 1));
    expect(await cluster.until(cluster.keyspace(away).get("k19"))).toMatchObject({ found: true });
  });
});
