import { describe, expect, test } from "vitest";
import type { WatchEvent } from "../../src/core/store/api.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });

function openFive(more: ClusterOptions = {}) {
  const keyspaces = {
    default: { strategy: "raft", replicas: 3, shards: 1 },
  };
  return open({ nodes: 5, persistent: true, keyspaces, ...more });
}

function membersOf(cluster: Cluster, id: string) {
  return cluster.until(cluster.node(id).store.admin.members(SHARD));
}

function change(cluster: Cluster, id: string, replicas: readonly string[]) {
  return cluster.node(id).store.admin.changeReplicas({ ...SHARD, replicas });
}

/** Who holds the shard, who leads it, and who does not hold it. */
async function standing(cluster: Cluster) {
  const { replicas, leader = "" } = await membersOf(cluster, "n1");
  const idle = cluster.ids.filter((id) => !replicas.includes(id));
  return { replicas, leader, idle };
}

function shardAt(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

/** It has a replica that knows that the shard is others'. */
function isDismissed(cluster: Cluster, id: string): boolean {
  const { state, isVoter, term } = shardAt(cluster, id);
  return state !== "closed" && isVoter === false && (term as number) > 0;
}

async function readAt(cluster: Cluster, id: string, key: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id).get(key));
  return read.found && !read.conflict ? read.value : undefined;
}

describe("the replicas of a raft shard", () => {
  test("are those that the map names, and a node beside them keeps nothing and does nothing", async () => {
    const cluster = await openFive();
    const { replicas, idle } = await standing(cluster);
    expect(replicas).toHaveLength(3);
    for (const id of idle) {
      expect(shardAt(cluster, id)).toMatchObject({ serving: false, term: 0, lastIndex: 0 });
      await cluster.until(cluster.keyspace(id).put(`from-${id}`, id));
      expect(await readAt(cluster, id, `from-${id}`)).toBe(id);
    }
  });

  test("get one more, which has all the data and serves", async () => {
    const cluster = await openFive();
    const { replicas, idle } = await standing(cluster);
    for (let n = 0; n < 20; n++) await cluster.until(cluster.keyspace("n1").put(`k${n}`, n));
    const joining = idle[0] as string;
    const wanted = [...replicas, joining];
    const changed = await cluster.until(change(cluster, idle[1] as string, wanted));
    expect([...changed.replicas].sort()).toEqual([...wanted].sort());
    expect(changed).toMatchObject({ keyspace: "default", shard: 0, learners: [] });
    expect(changed.changingTo).toBeUndefined();
    await cluster.waitFor(() => shardAt(cluster, joining).serving === true);
    await cluster.advance(500);
    const [chain] = replicas.map((id) => shardAt(cluster, id).chain);
    expect(shardAt(cluster, joining).chain).toBe(chain);
  });

  test("lose one, whose node then finds the others", async () => {
    const cluster = await openFive();
    const { replicas, leader } = await standing(cluster);
    const removed = replicas.find((id) => id !== leader) as string;
    const wanted = replicas.filter((id) => id !== removed);
    await cluster.until(change(cluster, removed, wanted));
    expect([...(await membersOf(cluster, removed)).replicas].sort()).toEqual([...wanted].sort());
    await cluster.until(cluster.keyspace(removed).put("a", 1));
    for (const id of cluster.ids) expect(await readAt(cluster, id, "a")).toBe(1);
    await cluster.waitFor(() => shardAt(cluster, removed).serving === false);
    await cluster.stop(removed);
    await cluster.restart(removed);
    await cluster.ready(removed);
    expect(await readAt(cluster, removed, "a")).toBe(1);
  });

  test("lose one that is away, which is told so when it is back, and serves no longer", async () => {
    const cluster = await openFive();
    const { replicas, leader } = await standing(cluster);
    const removed = replicas.find((id) => id !== leader) as string;
    const others = cluster.ids.filter((id) => id !== removed);
    cluster.kill(removed);
    const wanted = replicas.filter((id) => id !== removed);
    await cluster.until(change(cluster, leader, wanted));
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    await cluster.restart(removed);
    // It asks for votes, and is answered by those that are left.
    await cluster.waitFor(() => isDismissed(cluster, removed));
    expect(shardAt(cluster, removed)).toMatchObject({ serving: false, isVoter: false });
    const stale = cluster.keyspace(removed).get("a", { consistency: "stale" });
    expect(await cluster.until(stale)).toMatchObject({ found: true, value: 1 });
    const standings = others.map((id) => shardAt(cluster, id).leader);
    expect(standings).toContain(leader);
  });

  test("lose the one that leads, and another leads", async () => {
    const cluster = await openFive();
    const { replicas, leader, idle } = await standing(cluster);
    const wanted = [...replicas.filter((id) => id !== leader), idle[0] as string];
    const changed = await cluster.until(change(cluster, leader, wanted));
    expect([...changed.replicas].sort()).toEqual([...wanted].sort());
    await cluster.until(cluster.keyspace(leader).put("a", 1));
    const after = await membersOf(cluster, leader);
    expect(wanted).toContain(after.leader);
    for (const id of cluster.ids) expect(await readAt(cluster, id, "a")).toBe(1);
  });

  test("move altogether, while writes go on, and none that was acknowledged is lost", async () => {
    const cluster = await openFive();
    const { replicas, idle } = await standing(cluster);
    const wanted = [...idle, replicas[0] as string];
    let isMoved = false;
    const moving = change(cluster, "n2", wanted).then(() => {
      isMoved = true;
    });
    let written = 0;
    const write = async (id: string): Promise<void> => {
      while (!isMoved) {
        await cluster.keyspace(id).modify("count", (count) => ((count as number) ?? 0) + 1);
        written++;
      }
    };
    await cluster.until(Promise.all([moving, write("n1"), write("n4")]));
    expect(written).toBeGreaterThan(2);
    for (const id of cluster.ids) expect(await readAt(cluster, id, "count")).toBe(written);
    for (const id of replicas.slice(1)) cluster.kill(id);
    const left = idle[0] as string;
    await cluster.until(cluster.keyspace(left).put("after", 1));
    expect(await readAt(cluster, left, "count")).toBe(written);
  });
});

/** Three that held the shard, and three that hold it since; one of the former was away meanwhile. */
async function moveAltogether() {
  const cluster = await openFive({ nodes: 6 });
  const { replicas, leader, idle } = await standing(cluster);
  const away = replicas.find((id) => id !== leader) as string;
  const left = replicas.filter((id) => id !== away);
  await cluster.until(cluster.keyspace(leader).put("a", 1));
  cluster.kill(away);
  await cluster.until(change(cluster, leader, idle));
  await cluster.until(cluster.keyspace(leader).put("a", 2));
  await cluster.waitFor(() => left.every((id) => isDismissed(cluster, id)));
  return { cluster, away, left, holders: idle };
}

describe("a node that no replica of a moved shard knows any more", () => {
  test("hears of the move from those that have left the shard with it, and finds the others", async () => {
    const { cluster, away, left } = await moveAltogether();
    await cluster.restart(away);
    await cluster.waitFor(() => isDismissed(cluster, away));
    await cluster.ready(away);
    expect(shardAt(cluster, away)).toMatchObject({ serving: false });
    for (const id of [away, ...left]) expect(await readAt(cluster, id, "a")).toBe(2);
    const stale = cluster.keyspace(away).get("a", { consistency: "stale" });
    expect(await cluster.until(stale)).toMatchObject({ found: true, value: 2 });
  });

  test("does not forget it at a restart, though nobody is left who could tell it again", async () => {
    const { cluster, away, left, holders } = await moveAltogether();
    await cluster.restart(away);
    await cluster.waitFor(() => isDismissed(cluster, away));
    await cluster.stop(away);
    for (const id of left) await cluster.stop(id);
    await cluster.restart(away);
    await cluster.ready(away);
    expect(shardAt(cluster, away)).toMatchObject({ serving: false, isVoter: false });
    expect(await readAt(cluster, away, "a")).toBe(2);
    await cluster.until(cluster.keyspace(away).put("a", 3));
    expect([...(await membersOf(cluster, away)).replicas].sort()).toEqual([...holders].sort());
  });

  test("serves as before when the shard has come back to it", async () => {
    const { cluster, away, left, holders } = await moveAltogether();
    await cluster.restart(away);
    await cluster.waitFor(() => isDismissed(cluster, away));
    await cluster.until(change(cluster, holders[0] as string, [away, ...left]));
    await cluster.waitFor(() => shardAt(cluster, away).serving === true);
    await cluster.stop(away);
    await cluster.restart(away);
    await cluster.waitFor(() => shardAt(cluster, away).serving === true);
    for (const id of holders) await cluster.stop(id);
    await cluster.until(cluster.keyspace(away).put("a", 4));
    expect(await readAt(cluster, left[0] as string, "a")).toBe(4);
  });
});

describe("a watch of a shard that is moved to other nodes altogether", () => {
  test("goes on with every change once and no gap, also for one that comes back with a cursor", async () => {
    const cluster = await open({
      ...{ nodes: 7, persistent: true },
      keyspaces: { default: { strategy: "raft", replicas: 3, shards: 1 } },
    });
    const { replicas, idle } = await standing(cluster);
    const here = replicas[0] as string;
    const events: WatchEvent<unknown>[] = [];
    const watch = async (node: string, cursor?: string): Promise<void> => {
      const options = cursor === undefined ? {} : { cursor };
      for await (const event of cluster.keyspace(node).watch(options)) events.push(event);
    };
    void watch(here);
    const keys = () => events.flatMap(({ key }) => key ?? []);
    await cluster.waitFor(() => events.some(({ type }) => type === "synced"));
    await cluster.until(cluster.keyspace(here).put("before", 1));
    // The learners have the log, and with it the changes, before the shard is theirs.
    await cluster.until(change(cluster, here, idle.slice(0, 3)));
    await cluster.until(cluster.keyspace(here).put("after", 1));
    await cluster.waitFor(() => keys().includes("after"));
    void watch(idle[3] as string, events.at(-1)?.cursor);
    await cluster.waitFor(() => events.filter(({ type }) => type === "synced").length === 2);
    await cluster.until(cluster.keyspace(here).put("later", 1));
    await cluster.waitFor(() => keys().filter((key) => key === "later").length === 2);
    expect(keys()).toEqual(["before", "after", "later", "later"]);
    expect(events.filter(({ type }) => type === "gap")).toEqual([]);
  });
});

describe("while a change of replicas waits for a node that is down", () => {
  const READS = ["strong", "follower", "lease"] as const;

  /** Each is asked once, with the deadline that the level has. */
  async function demandCallsAtEveryNode(cluster: Cluster, what: string): Promise<void> {
    for (const id of cluster.runningIds()) {
      const key = `${what}/${id}`;
      await cluster.until(cluster.keyspace(id).put(key, id));
      for (const consistency of READS) {
        for (const reader of cluster.runningIds()) {
          const read = await cluster.until(cluster.keyspace(reader).get(key, { consistency }));
          expect(read).toMatchObject({ found: true, value: id });
        }
      }
    }
  }

  test("reads and writes go on at every node, when the leader is lost, too, and watches come in step", async () => {
    const cluster = await openFive();
    const { replicas, idle, leader } = await standing(cluster);
    const joining = idle[0] as string;
    const wanted = { ...SHARD, replicas: [...replicas, joining] };
    // It is met, and dies before it has anything of the data.
    cluster.network.faults = { delayMs: [300, 300], lanes: ["log", "bulk"] };
    const { admin } = cluster.node(leader).store;
    const changing = faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 3_000 }));
    await cluster.waitFor(() => String(shardAt(cluster, leader).configuration).includes("to "));
    cluster.kill(joining);
    cluster.network.faults = {};
    expect(await changing).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await demandCallsAtEveryNode(cluster, "pending");
    for (const id of cluster.runningIds()) {
      const watch = cluster.keyspace(id).watch({ timeoutMs: 3_000 })[Symbol.asyncIterator]();
      expect(await cluster.until(watch.next())).toMatchObject({ value: { type: "synced" } });
      await watch.return?.();
    }
    cluster.kill(leader);
    const others = replicas.filter((id) => id !== leader);
    await cluster.waitFor(() => others.some((id) => shardAt(cluster, id).role === "leader"));
    await demandCallsAtEveryNode(cluster, "without its leader");
    const told = await membersOf(cluster, others[0] as string);
    expect(told.changingTo).toContain(joining);
    // And when they are there again, it comes to its end.
    for (const id of [leader, joining]) await cluster.restart(id);
    await cluster.until(change(cluster, others[0] as string, wanted.replicas));
    await demandCallsAtEveryNode(cluster, "changed");
  });
});

describe("a change of replicas is refused, with what is allowed", () => {
  test("for arguments that are wrong", async () => {
    const cluster = await openFive();
    const { admin } = cluster.node("n1").store;
    const refused = async (given: unknown) => {
      const { code, message } = await faultOf(cluster, admin.changeReplicas(given as never));
      return `${code}: ${message}`;
    };
    expect(await refused({ ...SHARD, replicas: ["n1", "n9"] })).toBe(
      'INVALID_ARGUMENT: replicas names "n9"; allowed are: n1, n2, n3, n4, n5',
    );
    expect(await refused({ ...SHARD, replicas: ["n1", "n1"] })).toContain('names "n1" twice');
    expect(await refused({ ...SHARD, replicas: [] })).toContain("one or more of n1, n2");
    expect(await refused({ ...SHARD, shard: 7, replicas: ["n1"] })).toContain("from 0 to 0, not 7");
    expect(await refused({ ...SHARD, nodes: ["n1"] })).toContain('no field "nodes"');
    expect(await refused(undefined)).toContain("keyspace, shard, replicas");
    expect(await refused({ ...SHARD, keyspace: "none", replicas: ["n1"] })).toContain(
      "UNKNOWN_KEYSPACE",
    );
  });

  test("for a keyspace whose shards have one replica", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 1, shards: 1 } };
    const cluster = await open({ nodes: 2, persistent: true, keyspaces });
    const { replicas, idle } = await standing(cluster);
    const fault = await faultOf(cluster, change(cluster, "n1", [...replicas, ...idle]));
    expect(fault).toMatchObject({ code: "NOT_SUPPORTED", outcome: "not-applied" });
    expect(fault.message).toContain(`placed on ${replicas[0]} alone (replicas: 1)`);
  });

  test("for a node that does not answer: unavailable, and nothing has changed", async () => {
    const cluster = await openFive();
    const { replicas, idle, leader } = await standing(cluster);
    const away = idle[0] as string;
    cluster.kill(away);
    const { admin } = cluster.node(leader).store;
    const wanted = { ...SHARD, replicas: [...replicas, away] };
    const fault = await faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 2_000 }));
    expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    expect(fault.message).toContain("has not heard of all of");
    expect(await membersOf(cluster, leader)).toMatchObject({ replicas, learners: [] });
  });

  test("while another one is under way; the first's outcome is unknown until it is asked again", async () => {
    const cluster = await openFive();
    const { replicas, idle, leader } = await standing(cluster);
    const [first, second] = idle as [string, string];
    const { admin } = cluster.node(leader).store;
    // It is met, and dies before it has anything of the data.
    cluster.network.faults = { delayMs: [300, 300], lanes: ["log", "bulk"] };
    const wanted = { ...SHARD, replicas: [...replicas, first] };
    const changing = faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 3_000 }));
    await cluster.waitFor(() => String(shardAt(cluster, leader).configuration).includes("to "));
    cluster.kill(first);
    cluster.network.faults = {};
    const another = { ...SHARD, replicas: [...replicas, second] };
    expect(await faultOf(cluster, admin.changeReplicas(another))).toMatchObject({
      code: "CONTENDED",
      outcome: "not-applied",
    });
    expect(await changing).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    expect((await membersOf(cluster, leader)).changingTo).toContain(first);
    // Asking for what is in force takes it back.
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas }));
    expect((await membersOf(cluster, leader)).changingTo).toBeUndefined();
    await cluster.until(admin.changeReplicas(another));
    expect([...(await membersOf(cluster, leader)).replicas].sort()).toEqual(
      [...another.replicas].sort(),
    );
  });

  test("taken back while it waits for one that is down, is not made when that one is there again", async () => {
    const cluster = await openFive();
    const { replicas, leader } = await standing(cluster);
    const [down = "", other = ""] = replicas.filter((id) => id !== leader);
    cluster.kill(down);
    await cluster.advance(3_000);
    const { admin } = cluster.node(leader).store;
    // Nobody joins, and of those who are to decide there is no majority.
    const fewer = { ...SHARD, replicas: [leader, down] };
    const fault = await faultOf(cluster, admin.changeReplicas(fewer, { timeoutMs: 2_000 }));
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas }));
    expect((await membersOf(cluster, leader)).changingTo).toBeUndefined();
    cluster.restart(down);
    await cluster.advance(10_000);
    expect((await membersOf(cluster, other)).replicas).toEqual(replicas);
  });
});
