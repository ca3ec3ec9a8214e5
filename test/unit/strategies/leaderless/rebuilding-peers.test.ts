import { describe, expect, test } from "vitest";
import type { Sender, ShardPlacement } from "../../../../src/core/contracts/machine.ts";
import type { Epoch, Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import { RebuildingPeers } from "../../../../src/strategies/leaderless/rebuilding-peers.ts";
import { ReplicaAnswers } from "../../../../src/strategies/leaderless/replica-answers.ts";

const PLACEMENT: ShardPlacement = {
  epoch: 1 as Epoch,
  replicas: ["n1", "n2", "n3"] as NodeId[],
  standIns: [],
};
const N2: Sender = {
  node: "n2" as NodeId,
  storeId: "s2" as StoreId,
  incarnation: 1 as Incarnation,
};
const N2_BIT = 0b010;

function rebuilding(serving = false) {
  return { type: "standing", requestId: 0, serving } as const;
}

function maskOf(peers: RebuildingPeers, shardIndex: number): number {
  return peers.maskOf(new ReplicaAnswers(PLACEMENT), shardIndex);
}

describe("peers whose replicas are being rebuilt", () => {
  test("are known by shard, until they say that they are whole", () => {
    const peers = new RebuildingPeers();
    peers.onStanding(N2, 3, rebuilding(), 0);
    expect([maskOf(peers, 3), maskOf(peers, 4)]).toEqual([N2_BIT, 0]);
    peers.onStanding(N2, 4, rebuilding(true), 0);
    expect(maskOf(peers, 3)).toBe(N2_BIT);
    peers.onStanding(N2, 3, rebuilding(true), 0);
    expect(maskOf(peers, 3)).toBe(0);
  });

  test("or come back as somebody else, or give an answer that counts", () => {
    const peers = new RebuildingPeers();
    for (const shard of [0, 1]) peers.onStanding(N2, shard, rebuilding(), 0);
    peers.onServing(N2.node, 0);
    expect([maskOf(peers, 0), maskOf(peers, 1)]).toEqual([0, N2_BIT]);
    peers.onIdentity(N2.node);
    expect(maskOf(peers, 1)).toBe(0);
  });

  test("or are silent for longer than two of their words may be lost", () => {
    const peers = new RebuildingPeers();
    expect(peers.sweepAtMs).toBe(Number.POSITIVE_INFINITY);
    peers.onStanding(N2, 0, rebuilding(), 100);
    expect(peers.sweepAtMs).toBe(6_100);
    peers.onStanding(N2, 0, rebuilding(), 2_100);
    peers.sweep(6_100);
    expect(maskOf(peers, 0)).toBe(N2_BIT);
    expect(peers.sweepAtMs).toBe(8_100);
    peers.sweep(8_100);
    expect(maskOf(peers, 0)).toBe(0);
    expect(peers.sweepAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("that hold the shard no longer are nobody's", () => {
    const peers = new RebuildingPeers();
    peers.onStanding({ ...N2, node: "n9" as NodeId }, 0, rebuilding(), 0);
    expect(maskOf(peers, 0)).toBe(0);
  });
});
