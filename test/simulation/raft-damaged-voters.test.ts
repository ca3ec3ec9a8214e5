import { afterEach, describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";
import { DamagedVoter, damageLog, LONG } from "../support/damaged-voter.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });
/** Several elections are asked for, and the waiting is said. */
const WAITING_MS = 3_000;
const opened: Cluster[] = [];

afterEach(async () => {
  for (const cluster of opened.splice(0)) await cluster.close();
});

async function openVoter() {
  const voter = await DamagedVoter.open();
  opened.push(voter.cluster);
  return { voter, cluster: voter.cluster };
}

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

function said(cluster: Cluster, id: string, type: string) {
  return cluster.node(id).events.filter((event) => event.type === type);
}

describe("a damaged replica that finds itself the only voter", () => {
  test("leaves the shard to those that it was moved to, and hears who they are", async () => {
    const { voter, cluster } = await openVoter();
    await voter.move(["n1", "n3"]);
    await cluster.until(cluster.keyspace("n1").put("a", 2, LONG));
    await voter.damage();
    expect(said(cluster, "n2", "shard-damaged")).toHaveLength(1);
    expect(shardOf(cluster, "n2")).toMatchObject({ state: "recovering", configuration: "n2" });
    await cluster.waitFor(() => shardOf(cluster, "n2").configuration === "n1 n3");
    expect(said(cluster, "n2", "writes-may-be-lost")).toEqual([]);
    const read = await cluster.until(cluster.keyspace("n2").get("a", LONG));
    expect(read).toMatchObject({ value: 2 });
  });

  test("does not go on beside them where it does not hear them", async () => {
    const { voter, cluster } = await openVoter();
    await voter.move(["n1", "n3"]);
    cluster.isolate("n2");
    await voter.damage();
    await cluster.advance(WAITING_MS);
    expect(shardOf(cluster, "n2")).toMatchObject({ awaited: { nodes: ["n1", "n3"], ahead: [] } });
    cluster.network.heal();
    await cluster.waitFor(() => shardOf(cluster, "n2").configuration === "n1 n3");
    expect(said(cluster, "n2", "writes-may-be-lost")).toEqual([]);
  });

  test("goes on with what is left once all others have nothing later", async () => {
    const { voter, cluster } = await openVoter();
    cluster.kill("n3");
    await voter.damage();
    await cluster.advance(WAITING_MS);
    // Said once, however often it asks.
    expect(said(cluster, "n2", "raft-waits")).toMatchObject([{ nodes: ["n3"], ahead: [] }]);
    const fault = await faultOf(cluster, cluster.keyspace("n1").get("a", { timeoutMs: 500 }));
    expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    await cluster.restart("n3");
    await cluster.waitFor(() => shardOf(cluster, "n2").serving === true);
    expect(said(cluster, "n2", "writes-may-be-lost")).toHaveLength(1);
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ value: 1 });
    expect(await cluster.until(cluster.keyspace("n1").get("b"))).toMatchObject({ found: false });
  });

  test("goes on without them once somebody accepts the loss, and not while all are there", async () => {
    const { voter, cluster } = await openVoter();
    await voter.damage();
    const { admin } = cluster.node("n2").store;
    const recover = () => admin.recoverShard({ ...SHARD, acceptLoss: true });
    await cluster.waitUntilReachable("n2", ["n1", "n3"]);
    expect(await faultOf(cluster, recover())).toMatchObject({ code: "QUORUM_PRESENT" });
    cluster.kill("n3");
    await cluster.waitUntilReachable("n2", ["n1"]);
    expect(await cluster.until(recover())).toMatchObject({ replicas: ["n2"] });
    expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ value: 1 });
  });
});

test("a damaged replica of a cluster of one node goes on with what is left", async () => {
  const keyspaces = { default: { strategy: "raft", shards: 1 } };
  const cluster = await open({ nodes: 1, keyspaces, persistent: true });
  await cluster.until(cluster.keyspace("n1").put("a", 1, LONG));
  await cluster.advance(1_000);
  cluster.kill("n1");
  await damageLog(cluster, "n1");
  await cluster.waitFor(() => shardOf(cluster, "n1").serving === true);
  expect(said(cluster, "n1", "writes-may-be-lost")).toHaveLength(1);
  expect(await cluster.until(cluster.keyspace("n1").get("a"))).toMatchObject({ value: 1 });
});
