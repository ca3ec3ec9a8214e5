import { expect, test } from "vitest";
import { simulate } from "../../src/simulation/index.ts";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const KEYS = 350;

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

/** n3 comes back to a shard of which nobody has a log for it, over links of a second there and back. */
async function openSlow(): Promise<Cluster> {
  const raft = { strategy: "raft", shards: 1, electionTimeout: "10s", retainedLog: "1KiB" };
  const cluster = await open({ persistent: true, keyspaces: { default: raft } });
  cluster.kill("n3");
  const keyspace = cluster.keyspace("n1");
  const value = "x".repeat(1_000);
  await cluster.until(
    Promise.all(Array.from({ length: KEYS }, (_, n) => keyspace.put(`k${n}`, value))),
  );
  await cluster.restart("n3");
  await cluster.ready("n3");
  // A chunk holds one value, four are on their way, and each turn takes a second.
  cluster.network.faults = { delayMs: [500, 500] };
  return cluster;
}

function installedAt(cluster: Cluster, id: string): boolean {
  return cluster.node(id).events.some(({ type }) => type === "raft-snapshot-installed");
}

// A view of the state ends after a minute, and the picture with it: the next one began anew.
test("a replica is given a snapshot though that takes longer than a view of the state lasts", {
  timeout: 60_000,
}, async () => {
  const cluster = await openSlow();
  await cluster.advance(150_000);
  expect(installedAt(cluster, "n3")).toBe(true);
  expect(shardOf(cluster, "n3").applied).toBe(shardOf(cluster, "n1").applied);
});

// What was written meanwhile was not in the log any more when it had come: another one was sent.
test("a replica that has been given a snapshot is given what was written meanwhile, too", {
  timeout: 60_000,
}, async () => {
  const cluster = await openSlow();
  for (let n = 0; n < 100; n++) {
    await cluster.until(cluster.keyspace("n1").put("again", `${n}`, { timeoutMs: 9_000 }));
    if (n < 45) await cluster.advance(2_000);
    if (installedAt(cluster, "n3")) break;
  }
  await cluster.advance(10_000);
  expect(shardOf(cluster, "n3").applied).toBe(shardOf(cluster, "n1").applied);
});

// What brought no answer for 250 ms was sent again, four chunks of 256 KiB at a time: more than the link carries.
test("a replica is given a snapshot over a slow link that loses frames, and writes go on meanwhile", {
  timeout: 60_000,
}, async () => {
  await using sim = await simulate({
    config: {
      storage: { type: "memory" },
      keyspaces: { default: { strategy: "raft", shards: 1, retainedLog: "1MiB" } },
    },
  });
  const keyspace = sim.store("n1").keyspace("default");
  sim.crash("n3");
  await sim.run(3_000);
  const value = "x".repeat(60_000);
  const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
  await sim.until(Promise.all(keys.map((key) => keyspace.put(key, value, { timeoutMs: 20_000 }))));
  await sim.restart("n3");
  sim.network({ bytesPerMs: 200, minDelayMs: 150, loss: 0.01 });
  // Six megabytes take half a minute, at best.
  for (const endMs = sim.nowMs + 45_000; sim.nowMs < endMs; ) {
    await sim.until(keyspace.put("live", "x", { timeoutMs: 2_000 }));
    await sim.run(1_000);
  }
  const found = await sim.until(
    sim.store("n3").keyspace("default").get("k99", { consistency: "stale" }),
  );
  expect(found.found).toBe(true);
});
