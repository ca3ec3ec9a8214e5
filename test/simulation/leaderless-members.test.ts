import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });
type Description = Readonly<Record<string, unknown>>;

async function openFive(strategy: string, repair: Description = {}) {
  const keyspaces = { default: { strategy, replicas: 3, shards: 1, repair } };
  const cluster = await open({ nodes: 5, persistent: true, keyspaces });
  const { replicas } = await membersOf(cluster, "n1");
  const idle = cluster.ids.filter((id) => !replicas.includes(id)) as [string, string];
  return { cluster, replicas: replicas as [string, string, string], idle };
}

function membersOf(cluster: Cluster, id: string) {
  return cluster.until(cluster.node(id).store.admin.members(SHARD));
}

function change(cluster: Cluster, id: string, replicas: readonly string[]) {
  return cluster.node(id).store.admin.changeReplicas({ ...SHARD, replicas });
}

function shardAt(cluster: Cluster, id: string): Description {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Description[])[0] ?? {};
}

function placeAt(cluster: Cluster, id: string): Description {
  return (shardAt(cluster, id).place ?? {}) as Description;
}

async function readAt(cluster: Cluster, id: string, key: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id).get(key));
  return read.found && !read.conflict ? read.value : undefined;
}

function typesAt(cluster: Cluster, id: string): readonly string[] {
  return cluster.node(id).events.map(({ type }) => type);
}

describe("a node that stood in for a replica, and holds the shard since", () => {
  test("finds what expires among the copies that it has had from then", async () => {
    const { cluster, replicas, idle } = await openFive("dynamo", { interval: "off" });
    const [joining] = idle;
    const [away, ...others] = replicas;
    cluster.isolate(joining);
    await cluster.waitUntilReachable(joining, []);
    const options = { consistency: "one", ttlMs: 20_000 } as const;
    await cluster.until(cluster.keyspace(joining).put("a", 1, options));
    // What one of the replicas lacks is kept for it.
    cluster.network.heal();
    cluster.network.cut(joining, away);
    await cluster.waitFor(() =>
      others.every(
        (id) => cluster.keyspace(id).getNow("a", { consistency: "one" })?.found === true,
      ),
    );
    await cluster.until(change(cluster, others[0] as string, [...others, joining]));
    const events: string[] = [];
    const watching = cluster.keyspace(joining).changes$.subscribe(({ type, key }) => {
      events.push(`${type} ${key}`);
    });
    await cluster.advance(1_000);
    for (const id of others) cluster.kill(id);
    await cluster.advance(30_000);
    watching.unsubscribe();
    expect(events).toContain("expire a");
  });
});

describe.each(["tunable", "dynamo"])("the replicas of a %s shard", (strategy) => {
  test("move altogether while writes go on, and none that was acknowledged is lost", async () => {
    const { cluster, replicas, idle } = await openFive(strategy);
    for (let n = 0; n < 30; n++) await cluster.until(cluster.keyspace("n1").put(`k${n}`, n));
    const wanted = [...idle, replicas[0]];
    let isMoved = false;
    const moving = change(cluster, idle[0], wanted).then((members) => {
      isMoved = true;
      return members;
    });
    const written = new Map<string, number>();
    const write = async (id: string): Promise<void> => {
      for (let n = 0; !isMoved; n++) {
        await cluster.keyspace(id).put(`${id}-${n}`, n);
        written.set(`${id}-${n}`, n);
      }
    };
    const [moved] = await cluster.until(Promise.all([moving, write("n1"), write("n4")]));
    expect([...moved.replicas].sort()).toEqual([...wanted].sort());
    expect(moved).toMatchObject({ keyspace: "default", shard: 0, learners: [] });
    expect(moved.leader).toBeUndefined();
    expect(written.size).toBeGreaterThan(10);
    const left = replicas.slice(1);
    // Those that left hand over what they have, and drop it.
    await cluster.waitFor(() => left.every((id) => typesAt(cluster, id).includes("shard-left")));
    for (const id of left) {
      expect(shardAt(cluster, id).state).toBe("standing-in");
      expect(placeAt(cluster, id)).toMatchObject({ epoch: 4, stage: "settled", leaving: false });
    }
    for (const id of left) cluster.kill(id);
    for (const [key, value] of written) expect(await readAt(cluster, idle[0], key)).toBe(value);
    for (let n = 0; n < 30; n++) expect(await readAt(cluster, idle[1], `k${n}`)).toBe(n);
    await cluster.until(cluster.keyspace(idle[0]).put("after", 1));
    expect(await readAt(cluster, idle[1], "after")).toBe(1);
  });

  test("grow and shrink, and every node follows", async () => {
    const { cluster, replicas, idle } = await openFive(strategy);
    await cluster.until(cluster.keyspace("n1").put("a", 1));
    await cluster.until(change(cluster, "n1", [...replicas, ...idle]));
    for (const id of cluster.ids) {
      expect(await readAt(cluster, id, "a")).toBe(1);
      expect((await membersOf(cluster, id)).replicas).toHaveLength(5);
    }
    await cluster.until(change(cluster, "n2", [idle[0]]));
    for (const id of cluster.ids) expect(await readAt(cluster, id, "a")).toBe(1);
    for (const id of cluster.ids) await cluster.until(cluster.keyspace(id).put(`b-${id}`, id));
    const wanted = [idle[0], replicas[0], replicas[1]];
    await cluster.until(change(cluster, "n3", wanted));
    for (const id of cluster.ids) expect(await readAt(cluster, idle[1], `b-${id}`)).toBe(id);
  });

  test("survive the restart of everybody in every stage of a change", async () => {
    const { cluster, replicas, idle } = await openFive(strategy);
    for (let n = 0; n < 10; n++) await cluster.until(cluster.keyspace("n1").put(`k${n}`, n));
    const wanted = [...idle, replicas[2]];
    for (const stage of ["pending", "switching"]) {
      cluster.network.faults = { delayMs: [20, 40] };
      // Its caller dies with the node, and is never answered.
      change(cluster, "n1", wanted).catch(() => undefined);
      await cluster.waitFor(() => cluster.ids.some((id) => placeAt(cluster, id).stage === stage));
      for (const id of cluster.ids) cluster.kill(id);
      cluster.network.faults = {};
      for (const id of cluster.ids) await cluster.restart(id);
      for (const id of cluster.ids) await cluster.ready(id);
    }
    await cluster.until(change(cluster, "n5", wanted));
    expect([...(await membersOf(cluster, "n1")).replicas].sort()).toEqual([...wanted].sort());
    for (let n = 0; n < 10; n++) expect(await readAt(cluster, idle[0], `k${n}`)).toBe(n);
  });

  test("are streamed to no faster than repair may, and what has come can be seen", async () => {
    const { cluster, replicas, idle } = await openFive(strategy, { bytesPerSecond: "64KiB" });
    const value = "v".repeat(8 * 1024);
    for (let n = 0; n < 40; n++) await cluster.until(cluster.keyspace("n1").put(`k${n}`, value));
    const before = cluster.time.nowMs;
    const moving = change(cluster, "n1", [replicas[0], replicas[1], idle[0]]);
    await cluster.waitFor(() => placeAt(cluster, idle[0]).streaming !== undefined);
    expect(shardAt(cluster, idle[0]).state).toBe("joining");
    await cluster.until(moving);
    // Two sources of 320 KiB each, at 64 KiB a second.
    expect(cluster.time.nowMs - before).toBeGreaterThan(4_000);
    const events = cluster.node(idle[0]).events;
    expect(events.filter(({ type }) => type === "move-progress").length).toBeGreaterThan(3);
    const streamed = events.find(({ type }) => type === "move-streamed");
    expect(streamed).toMatchObject({ keyspace: "default", shard: 0, epoch: 2 });
    expect(streamed?.entries).toBeGreaterThanOrEqual(80);
  });
});

describe("a strong read while the shard is given to others", () => {
  test("is answered of what was written long ago, too, and outlives the switch", async () => {
    const { cluster, replicas, idle } = await openFive("tunable", { bytesPerSecond: "64KiB" });
    const value = "v".repeat(8 * 1024);
    for (let n = 0; n < 60; n++) await cluster.until(cluster.keyspace("n1").put(`k${n}`, value));
    // By then a copy that learns takes nothing so old but from those who give it the shard.
    await cluster.advance(6 * 60_000);
    const moving = change(cluster, "n1", [replicas[0], ...idle]);
    await cluster.waitFor(() => placeAt(cluster, idle[0]).streaming !== undefined);
    for (let n = 0; n < 60; n += 7) {
      const keyspace = cluster.keyspace(cluster.ids[n % 5] as string);
      const read = await cluster.until(keyspace.get(`k${n}`, { consistency: "strong" }));
      expect(read.found).toBe(true);
    }
    expect(shardAt(cluster, idle[0]).state).toBe("joining");
    await cluster.until(moving);
    for (const id of replicas.slice(1)) cluster.kill(id);
    for (let n = 0; n < 60; n++) expect(await readAt(cluster, idle[0], `k${n}`)).toBe(value);
  });
});

describe.each(["tunable", "dynamo"])("of a change of %s replicas", (strategy) => {
  /** `other` knows of a change to `joining`, which is away, and not that it was taken back. */
  async function takenBack() {
    const { cluster, replicas, idle } = await openFive(strategy);
    const [joining, other] = idle;
    cluster.kill(joining);
    const wanted = { ...SHARD, replicas: [replicas[0], replicas[1], joining] };
    const { admin } = cluster.node(other).store;
    await faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 1_000 }));
    await readAt(cluster, other, "a");
    await cluster.until(change(cluster, replicas[0], replicas));
    expect(placeAt(cluster, other)).toMatchObject({ epoch: 2, stage: "pending" });
    return { cluster, replicas, other };
  }

  test("that was taken back, a node's next change hears", async () => {
    const { cluster, replicas, other } = await takenBack();
    const moved = [replicas[0], replicas[1], other];
    const members = await cluster.until(change(cluster, other, moved));
    expect([...members.replicas].sort()).toEqual([...moved].sort());
  });

  test("a node hears that held the only copy and comes back empty, before it answers", async () => {
    const keyspaces = { default: { strategy, replicas: 1, shards: 1 } };
    const cluster = await open({ nodes: 3, keyspaces });
    const [before] = (await membersOf(cluster, "n1")).replicas as [string];
    const [after, third] = cluster.ids.filter((id) => id !== before) as [string, string];
    await cluster.until(cluster.keyspace(third).put("a", 1));
    await cluster.until(change(cluster, third, [after]));
    cluster.kill(before);
    cluster.network.faults = { delayMs: [10, 30] };
    await cluster.restart(before);
    let first: unknown = "refused";
    while (first === "refused") {
      first = await readAt(cluster, before, "a").catch(() => "refused");
      await cluster.advance(1);
    }
    expect(first).toBe(1);
    expect((await membersOf(cluster, before)).replicas).toEqual([after]);
  });
});

describe("a change of leaderless replicas is refused, with what is allowed", () => {
  test("while another one is under way, which can be taken back or gone on with", async () => {
    const { cluster, replicas, idle } = await openFive("tunable");
    const [joining, other] = idle;
    cluster.kill(joining);
    const wanted = [replicas[0], replicas[1], joining];
    const { admin } = cluster.node(replicas[0]).store;
    const first = admin.changeReplicas({ ...SHARD, replicas: wanted }, { timeoutMs: 2_000 });
    const fault = await faultOf(cluster, first);
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    expect((await membersOf(cluster, replicas[0])).changingTo).toEqual(wanted);
    const another = await faultOf(cluster, change(cluster, other, [replicas[0], other]));
    expect(another).toMatchObject({ code: "CONTENDED", outcome: "not-applied" });
    expect(another.message).toContain(`to ${wanted.join(", ")}`);
    await cluster.until(change(cluster, other, replicas));
    expect((await membersOf(cluster, replicas[0])).changingTo).toBeUndefined();
    await cluster.restart(joining);
    await cluster.ready(joining);
    await cluster.until(change(cluster, other, wanted));
    expect([...(await membersOf(cluster, joining)).replicas].sort()).toEqual([...wanted].sort());
  });

  test("where too few of the old replicas can be reached", async () => {
    const { cluster, replicas, idle } = await openFive("tunable");
    for (const id of replicas.slice(1)) cluster.kill(id);
    const { admin } = cluster.node(replicas[0]).store;
    const wanted = { ...SHARD, replicas: idle };
    const fault = await faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 1_000 }));
    expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    expect(fault.message).toContain("too few of those who hold shard 0");
  });

  test("where the keyspace's own level could not be met any more", async () => {
    const keyspaces = { default: { strategy: "tunable", replicas: 3, shards: 1, read: "two" } };
    const cluster = await open({ nodes: 3, keyspaces });
    const fault = await faultOf(cluster, change(cluster, "n1", ["n2"]));
    expect(fault).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
    expect(fault.message).toBe("replicas names 1 nodes, and the keyspace's level two needs more");
  });
});

// Each try had at most 0.8 s, for ever: where a vote took longer none came to a decision.
test("a shard is moved also where each vote takes longer than the first tries have time", async () => {
  const { cluster, replicas, idle } = await openFive("tunable");
  cluster.network.faults = { delayMs: [500, 500] };
  const goal = [...replicas.slice(1), idle[0]];
  const { admin } = cluster.node("n1").store;
  const change = admin.changeReplicas({ ...SHARD, replicas: goal }, { timeoutMs: 60_000 });
  expect([...(await cluster.until(change)).replicas].sort()).toEqual(goal.sort());
});
