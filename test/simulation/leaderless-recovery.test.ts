import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });

function recover(cluster: Cluster, id: string, timeoutMs?: number) {
  const { admin } = cluster.node(id).store;
  const options = timeoutMs === undefined ? {} : { timeoutMs };
  return admin.recoverShard({ ...SHARD, acceptLoss: true }, options);
}

function stateOf(cluster: Cluster, id: string): unknown {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly { readonly state?: string }[])[0]?.state;
}

async function valueAt(cluster: Cluster, id: string, key: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id).get(key));
  return read.found && !read.conflict ? read.value : undefined;
}

/** n3 is gone for good, and n2 has come back empty: it waits for what n3 may have acknowledged with it. */
async function openBereft(strategy: string): Promise<Cluster> {
  const cluster = await open({ keyspaces: { default: { strategy, shards: 1 } } });
  await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all" }));
  cluster.kill("n3");
  await cluster.until(cluster.keyspace("n1").put("b", 2));
  cluster.kill("n2");
  await cluster.restart("n2");
  await cluster.advance(30_000);
  return cluster;
}

describe.each(["tunable", "dynamo"])("a replica (%s) that waits for a lost one", (strategy) => {
  test("does not serve by itself, and serves with what the others have once loss is accepted", async () => {
    const cluster = await openBereft(strategy);
    expect(stateOf(cluster, "n2")).toBe("rebuilding");
    const members = await cluster.until(recover(cluster, "n2"));
    expect([...members.replicas].sort()).toEqual(["n1", "n2", "n3"]);
    expect(stateOf(cluster, "n2")).toBe("serving");
    const said = cluster.node("n2").events.map(({ type }) => type);
    expect(said).toContain("writes-may-be-lost");
    expect(await valueAt(cluster, "n2", "a")).toBe(1);
    expect(await valueAt(cluster, "n2", "b")).toBe(2);
    await cluster.until(cluster.keyspace("n2").put("c", 3, { consistency: "quorum" }));
  });

  test("can be moved away from the lost one after that", async () => {
    const cluster = await openBereft(strategy);
    const { admin } = cluster.node("n1").store;
    const wanted = { ...SHARD, replicas: ["n1", "n2"] };
    const early = await faultOf(cluster, admin.changeReplicas(wanted, { timeoutMs: 2_000 }));
    expect(early).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    await cluster.until(recover(cluster, "n2"));
    const { replicas } = await cluster.until(admin.changeReplicas(wanted));
    expect([...replicas].sort()).toEqual(["n1", "n2"]);
    expect(await valueAt(cluster, "n2", "b")).toBe(2);
  });

  test("says again that it serves, and gives nobody up who can be reached", async () => {
    const cluster = await open({ keyspaces: { default: { strategy, shards: 1 } } });
    await cluster.until(cluster.keyspace("n1").put("a", 1, { consistency: "all" }));
    cluster.kill("n2");
    await cluster.restart("n2");
    await cluster.waitUntilReachable("n2", cluster.ids);
    await cluster.until(recover(cluster, "n2"));
    expect(cluster.node("n2").events.map(({ type }) => type)).not.toContain("writes-may-be-lost");
    await cluster.until(recover(cluster, "n2"));
    expect(await valueAt(cluster, "n2", "a")).toBe(1);
  });
});

test("a replica that is left alone goes on alone", async () => {
  const cluster = await openBereft("dynamo");
  cluster.kill("n1");
  await cluster.waitUntilReachable("n2", ["n2"]);
  await cluster.until(recover(cluster, "n2"));
  expect(stateOf(cluster, "n2")).toBe("serving");
  await cluster.until(cluster.keyspace("n2").put("d", 4, { consistency: "one" }));
  const read = await cluster.until(cluster.keyspace("n2").get("d", { consistency: "one" }));
  expect(read).toMatchObject({ found: true, value: 4 });
});

test("a node that does not hold the shard names those who do", async () => {
  const keyspaces = { default: { strategy: "tunable", shards: 1, replicas: 2 } };
  const cluster = await open({ keyspaces });
  const { replicas } = await cluster.until(cluster.node("n1").store.admin.members(SHARD));
  const other = cluster.ids.find((id) => !replicas.includes(id)) as string;
  expect(await faultOf(cluster, recover(cluster, other))).toMatchObject({
    code: "INVALID_ARGUMENT",
    outcome: "not-applied",
    message: expect.stringContaining(
      `node ${other} holds no replica of shard 0; ask one that does: `,
    ),
    allowed: replicas,
  });
});

test("a call that ends before the copy serves does not say that nothing came of it", async () => {
  const cluster = await open();
  cluster.kill("n2");
  await cluster.restart("n2");
  await cluster.waitUntilReachable("n2", cluster.ids);
  const fault = await faultOf(cluster, recover(cluster, "n2", 1));
  expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  await cluster.waitFor(() => stateOf(cluster, "n2") === "serving");
});

// A chunk that took longer than 2 s was asked for again under another number, and its answer dropped.
test.each(["tunable", "dynamo"])(
  "a replica (%s) is rebuilt also where every answer takes longer than it waits to ask again",
  async (strategy) => {
    const cluster = await open({ keyspaces: { default: { strategy, shards: 2 } } });
    for (let n = 0; n < 20; n++) {
      await cluster.until(cluster.keyspace("n1").put(`k${n}`, n, { consistency: "all" }));
    }
    cluster.kill("n2");
    await cluster.restart("n2");
    await cluster.waitUntilReachable("n2", cluster.ids);
    cluster.network.faults = { delayMs: [1_500, 1_500] };
    await cluster.advance(60_000);
    const { hosted, serving } = cluster.keyspace("n2").describe();
    expect({ hosted, serving }).toEqual({ hosted: 2, serving: 2 });
  },
);
