import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });
const NODES = ["n1", "n2", "n3"];

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

function recover(cluster: Cluster, id: string) {
  return cluster.node(id).store.admin.recoverShard({ ...SHARD, acceptLoss: true });
}

async function valueAt(cluster: Cluster, id: string, key: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id).get(key));
  return read.found && !read.conflict ? read.value : undefined;
}

/** Two of three are gone, with what the one that is left did not hear of. */
async function openBereft() {
  const keyspaces = { default: { strategy: "raft", shards: 1 } };
  const cluster = await open({ keyspaces, persistent: true });
  await cluster.waitFor(() => NODES.some((id) => shardOf(cluster, id).role === "leader"));
  const survivor = NODES.find((id) => shardOf(cluster, id).role === "follower") as string;
  const lost = NODES.filter((id) => id !== survivor);
  const { version } = await cluster.until(cluster.keyspace(survivor).put("a", 1));
  await cluster.advance(500);
  cluster.kill(survivor);
  await cluster.until(cluster.keyspace(lost[0] as string).put("b", 2, { timeoutMs: 20_000 }));
  for (const id of lost) cluster.kill(id);
  await cluster.restart(survivor);
  await cluster.advance(2_000);
  return { cluster, survivor, lost, version };
}

describe("a raft shard whose majority is gone for good", () => {
  test("goes on with what one replica has, which says that writes may be lost", async () => {
    const { cluster, survivor } = await openBereft();
    const before = await faultOf(
      cluster,
      cluster.keyspace(survivor).put("a", 2, { timeoutMs: 500 }),
    );
    expect(before.code).toBe("UNAVAILABLE");
    const members = await cluster.until(recover(cluster, survivor));
    expect(members).toMatchObject({ replicas: [survivor], learners: [], leader: survivor });
    const said = cluster.node(survivor).events.map(({ type }) => type);
    expect(said).toContain("raft-recovered");
    expect(said).toContain("writes-may-be-lost");
    expect(await valueAt(cluster, survivor, "a")).toBe(1);
    expect(await valueAt(cluster, survivor, "b")).toBeUndefined();
    await cluster.until(cluster.keyspace(survivor).put("a", 3));
    expect(await valueAt(cluster, survivor, "a")).toBe(3);
  });

  test("does not take versions of its life before for its own", async () => {
    const { cluster, survivor, version } = await openBereft();
    await cluster.until(recover(cluster, survivor));
    const put = cluster.keyspace(survivor).put("a", 5, { ifVersion: version });
    expect(await cluster.until(put)).toMatchObject({ ok: false, reason: "version-mismatch" });
  });

  test("takes in nodes that come back empty, and those that come back with the old data", async () => {
    const { cluster, survivor, lost } = await openBereft();
    await cluster.until(recover(cluster, survivor));
    await cluster.until(cluster.keyspace(survivor).put("c", 3));
    cluster.disks.set(lost[0] as string, new PersistentMemoryDisk());
    for (const id of lost) await cluster.restart(id);
    await cluster.waitFor(() => shardOf(cluster, lost[1] as string).state === "superseded");
    const { admin } = cluster.node(survivor).store;
    const members = await cluster.until(admin.changeReplicas({ ...SHARD, replicas: NODES }));
    expect([...members.replicas].sort()).toEqual(NODES);
    await cluster.waitFor(() => NODES.every((id) => shardOf(cluster, id).state === "serving"));
    await cluster.advance(500);
    const chains = new Set(NODES.map((id) => shardOf(cluster, id).chain));
    expect(chains.size).toBe(1);
    for (const id of NODES) {
      expect(await valueAt(cluster, id, "b")).toBeUndefined();
      expect(await valueAt(cluster, id, "c")).toBe(3);
    }
    // They count: without the one that has recovered it goes on.
    cluster.kill(survivor);
    const put = cluster.keyspace(lost[0] as string).put("d", 4, { timeoutMs: 20_000 });
    await cluster.until(put);
    expect(await valueAt(cluster, lost[1] as string, "d")).toBe(4);
  });

  test("is nobody else's any more when the old majority comes back at once", async () => {
    const { cluster, survivor, lost } = await openBereft();
    await cluster.until(recover(cluster, survivor));
    for (const id of lost) await cluster.restart(id);
    await cluster.waitFor(() => lost.every((id) => shardOf(cluster, id).state === "superseded"));
    for (const id of lost) expect(shardOf(cluster, id)).toMatchObject({ serving: false });
    // Over a restart, too.
    cluster.kill(lost[0] as string);
    await cluster.restart(lost[0] as string);
    await cluster.advance(2_000);
    expect(shardOf(cluster, lost[0] as string).state).toBe("superseded");
    expect(shardOf(cluster, survivor)).toMatchObject({ role: "leader", serving: true });
  });
});

describe("a replica of a group that is over", () => {
  test("is recovered once the later group is lost in its turn, and not before", async () => {
    const { cluster, survivor, lost } = await openBereft();
    await cluster.until(recover(cluster, survivor));
    for (const id of lost) await cluster.restart(id);
    await cluster.waitFor(() => lost.every((id) => shardOf(cluster, id).state === "superseded"));
    const [left = ""] = lost;
    const early = await faultOf(cluster, recover(cluster, left));
    expect(early).toMatchObject({ code: "QUORUM_PRESENT" });
    cluster.kill(survivor);
    cluster.disks.set(survivor, new PersistentMemoryDisk());
    await cluster.restart(survivor);
    await cluster.advance(2_000);
    const members = await cluster.until(recover(cluster, left));
    expect(members).toMatchObject({ replicas: [left], leader: left });
    expect(await valueAt(cluster, left, "b")).toBe(2);
    const { admin } = cluster.node(left).store;
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas: NODES }));
    await cluster.waitFor(() => NODES.every((id) => shardOf(cluster, id).serving === true));
    for (const id of NODES) expect(await valueAt(cluster, id, "b")).toBe(2);
  });
});

describe("a store that took the place of a lost voter's", () => {
  test("is recovered with what it has learnt, though its node is named by the voters", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 2, shards: 1 } };
    const cluster = await open({ nodes: 2, persistent: true, keyspaces });
    await cluster.until(cluster.keyspace("n1").put("a", 1));
    const leader = ["n1", "n2"].find((id) => shardOf(cluster, id).role === "leader") as string;
    const learner = leader === "n1" ? "n2" : "n1";
    for (const id of [learner, leader]) {
      cluster.kill(id);
      cluster.disks.set(id, new PersistentMemoryDisk());
      await cluster.restart(id);
      // The leader has taken it for a learner, and it alone knows that then.
      await cluster.waitFor(() => shardOf(cluster, learner).configuration !== "");
    }
    await cluster.advance(2_000);
    const members = await cluster.until(recover(cluster, learner));
    expect(members).toMatchObject({ replicas: [learner], leader: learner });
    expect(await valueAt(cluster, learner, "a")).toBe(1);
  });
});

describe("a node that was told that the shard is others'", () => {
  test("serves it again once those who have recovered it with an older log take it in", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 3, shards: 1 } };
    const cluster = await open({ nodes: 4, persistent: true, keyspaces });
    const { replicas, leader = "" } = await cluster.until(
      cluster.node("n1").store.admin.members(SHARD),
    );
    const [removed, survivor] = replicas.filter((id) => id !== leader) as [string, string];
    const joining = cluster.ids.find((id) => !replicas.includes(id)) as string;
    const { admin } = cluster.node(leader).store;
    cluster.kill(removed);
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas: [leader, survivor, joining] }));
    cluster.kill(survivor);
    const longer = { timeoutMs: 20_000 };
    for (let n = 0; n < 30; n++) {
      await cluster.until(cluster.keyspace(leader).put(`late${n}`, n, longer));
    }
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas: [leader, joining] }, longer));
    await cluster.restart(removed);
    // Its removal lies in a place of the log that the survivor's does not reach.
    const held = () => String(shardOf(cluster, removed).configuration);
    await cluster.waitFor(() => held().includes(leader) && !held().includes(survivor));
    for (const id of [leader, joining]) cluster.kill(id);
    await cluster.restart(survivor);
    await cluster.advance(2_000);
    await cluster.until(recover(cluster, survivor));
    const wanted = { ...SHARD, replicas: [survivor, removed] };
    await cluster.until(cluster.node(survivor).store.admin.changeReplicas(wanted));
    await cluster.waitFor(() => shardOf(cluster, removed).serving === true);
    await cluster.until(cluster.keyspace(removed).put("after", 1));
    expect(await valueAt(cluster, removed, "after")).toBe(1);
    expect(await valueAt(cluster, removed, "late0")).toBeUndefined();
  });
});

describe("a node that was removed from the shard", () => {
  test("recovers it with the copy that it still has, where all who held it are gone", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 3, shards: 1 } };
    const cluster = await open({ nodes: 4, persistent: true, keyspaces });
    await cluster.until(cluster.keyspace("n1").put("a", 1));
    const { replicas, leader = "" } = await cluster.until(
      cluster.node("n1").store.admin.members(SHARD),
    );
    const removed = replicas.find((id) => id !== leader) as string;
    const holders = cluster.ids.filter((id) => id !== removed);
    const { admin } = cluster.node(leader).store;
    await cluster.until(admin.changeReplicas({ ...SHARD, replicas: holders }));
    await cluster.until(cluster.keyspace(leader).put("b", 2));
    await cluster.advance(1_000);
    const early = await faultOf(cluster, recover(cluster, removed));
    expect(early).toMatchObject({ code: "QUORUM_PRESENT" });
    for (const id of holders) cluster.kill(id);
    await cluster.advance(2_000);
    const members = await cluster.until(recover(cluster, removed));
    expect(members).toMatchObject({ replicas: [removed], leader: removed });
    expect(await valueAt(cluster, removed, "a")).toBe(1);
    expect(await valueAt(cluster, removed, "b")).toBeUndefined();
    await cluster.until(cluster.keyspace(removed).put("c", 3));
    expect(await valueAt(cluster, removed, "c")).toBe(3);
    // Those who held it take it from there.
    for (const id of holders) await cluster.restart(id);
    const all = { ...SHARD, replicas: cluster.ids };
    await cluster.until(cluster.node(removed).store.admin.changeReplicas(all));
    await cluster.waitFor(() => cluster.ids.every((id) => shardOf(cluster, id).serving === true));
    for (const id of cluster.ids) expect(await valueAt(cluster, id, "c")).toBe(3);
  });
});

describe("a recovery", () => {
  test("is refused while a majority can be reached, and without the word", async () => {
    const cluster = await open({ keyspaces: { default: { strategy: "raft", shards: 1 } } });
    const present = await faultOf(cluster, recover(cluster, "n1"));
    expect(present).toMatchObject({ code: "QUORUM_PRESENT", outcome: "not-applied" });
    const { admin } = cluster.node("n1").store;
    const silent = { ...SHARD, acceptLoss: false } as unknown as {
      acceptLoss: true;
    } & typeof SHARD;
    const unsaid = await faultOf(cluster, admin.recoverShard(silent));
    expect(unsaid).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(unsaid.message).toContain("acceptLoss has to be true, not false");
  });

  test("is refused where there is no replica, with those that have one", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 3, shards: 1 } };
    const cluster = await open({ nodes: 4, keyspaces });
    const { replicas } = await cluster.until(cluster.node("n1").store.admin.members(SHARD));
    const other = cluster.ids.find((id) => !replicas.includes(id)) as string;
    const fault = await faultOf(cluster, recover(cluster, other));
    expect(fault).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
    expect(fault.message).toContain(`node ${other} has no replica of shard 0`);
  });
});
