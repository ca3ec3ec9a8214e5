import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const NODES = ["n1", "n2", "n3"];
/** The least that a follower draws, of an election timeout of 4 s. */
const LEAST_DRAW_MS = 2_000;

function leaderOf(cluster: Cluster, shard = 0): string | undefined {
  return cluster.runningIds().find((id) => {
    const { shards } = cluster.keyspace(id).describe();
    return (shards as readonly { readonly role?: string }[])[shard]?.role === "leader";
  });
}

async function openLed() {
  const keyspaces = { default: { strategy: "raft", shards: 1, electionTimeout: "4s" } };
  const cluster = await open({ keyspaces });
  await cluster.waitFor(() => leaderOf(cluster) !== undefined);
  const leader = leaderOf(cluster) as string;
  const [first = "", second = ""] = NODES.filter((id) => id !== leader);
  return { cluster, leader, first, second };
}

/** Milliseconds from the call until a write of another node is through. */
async function gapAfterClosing(cluster: Cluster, leader: string, other: string): Promise<number> {
  const startMs = cluster.time.nowMs;
  const closing = cluster.node(leader).store.close();
  await cluster.until(cluster.keyspace(other).put("after", 1, { timeoutMs: 30_000 }));
  await cluster.until(closing);
  return cluster.time.nowMs - startMs;
}

describe("a leader that is closed", () => {
  test("has handed over before it is gone, so that writes need not wait for an election timeout", async () => {
    const { cluster, leader, first } = await openLed();
    expect(await gapAfterClosing(cluster, leader, first)).toBeLessThan(LEAST_DRAW_MS / 4);
  });

  test("first gives its successor what that one lacks, though nobody waits for it here", async () => {
    const { cluster, leader, first, second } = await openLed();
    // Both have only a part of the log when the close begins, and no call of this node is open.
    cluster.network.faults = { delayMs: [20, 60] };
    const writes = Array.from({ length: 20 }, (_, n) =>
      cluster.keyspace(first).put(`k${n}`, n, { timeoutMs: 20_000 }),
    );
    await cluster.advance(30);
    expect(await gapAfterClosing(cluster, leader, second)).toBeLessThan(LEAST_DRAW_MS / 2);
    await cluster.until(Promise.all(writes));
  });

  test("does not stay longer than it may for a successor that does not come", async () => {
    const { cluster, leader, first, second } = await openLed();
    await cluster.advance(100);
    for (const id of [first, second]) cluster.network.cut(leader, id);
    const startMs = cluster.time.nowMs;
    await cluster.until(cluster.node(leader).store.close({ timeoutMs: 1_000 }));
    expect(cluster.time.nowMs - startMs).toBeLessThanOrEqual(1_100);
  });

  test("hands over to none that was closed just before, though that one should rather lead", async () => {
    const shards = 8;
    const keyspaces = { default: { strategy: "raft", shards, replicas: 5, electionTimeout: "4s" } };
    const cluster = await open({ nodes: 5, keyspaces });
    const leaders = () => Array.from({ length: shards }, (_, shard) => leaderOf(cluster, shard));
    await cluster.waitFor(() => !leaders().includes(undefined));
    await cluster.advance(60_000);
    const [first = ""] = leaders();
    const closeInOrder = async (id: string) => {
      await cluster.until(cluster.node(id).store.close());
      cluster.kill(id);
    };
    await closeInOrder(first);
    await cluster.waitFor(() => !leaders().includes(undefined));
    const second = leaders()[0] as string;
    await closeInOrder(second);
    await cluster.advance(50);
    expect(leaders()).not.toContain(undefined);
  });
});
