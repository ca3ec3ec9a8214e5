import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const KEYS = 350;

function shardOf(cluster: Cluster, id: string): Readonly<Record<string, unknown>> {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
}

// A view of the state ends after a minute, and the picture with it: the next one began anew.
test("a replica is given a snapshot though that takes longer than a view of the state lasts", {
  timeout: 60_000,
}, async () => {
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
  await cluster.advance(150_000);
  const events = cluster.node("n3").events.map(({ type }) => type);
  expect(events).toContain("raft-snapshot-installed");
  expect(shardOf(cluster, "n3").applied).toBe(shardOf(cluster, "n1").applied);
});
