import { describe, expect, test } from "vitest";
import { MANY_SHARDS, withRoomForShards } from "../../../../src/simulation/scenario/many-shards.ts";
import { drawPlan, type ScenarioPlan } from "../../../../src/simulation/scenario/plan.ts";

const SEEDS = Array.from({ length: 300 }, (_, index) => index + 1);

function shardsOf({ keyspaces }: ScenarioPlan): number {
  return keyspaces.reduce((sum, { configuration }) => sum + Number(configuration.shards), 0);
}

/** With the least that a seed can draw. */
function narrow(plan: ScenarioPlan): ScenarioPlan {
  const network = { ...plan.network, bytesPerMs: 100 };
  return { ...plan, network, maxPendingBytes: 1_024, meanFaultPauseMs: 800 };
}

describe("a seed with many raft shards", () => {
  const plans = SEEDS.map((seed) => drawPlan(seed, ["raft"]));
  const many = plans.filter((plan) => shardsOf(plan) >= MANY_SHARDS);

  test("is one of twelve, on three nodes or more", () => {
    expect(many.length).toBeGreaterThan(SEEDS.length / 20);
    expect(many.length).toBeLessThan(SEEDS.length / 8);
    for (const plan of many) {
      expect(plan.nodes).toBeGreaterThanOrEqual(3);
      expect(shardsOf(plan)).toBeLessThanOrEqual(256);
      expect(plan.keyspaces[0]?.configuration.replicas).toBe(3);
    }
  });

  // Seed 905 had 70 shards for 8,000 bytes, each election of which wrote 17,000, and seed 2005 had 96
  // for 1,514: nodes took no messages for their replicas any more, so that these elected again.
  test("has a disk and a network that so many shards can elect leaders with", () => {
    for (const plan of many) {
      const shards = shardsOf(plan);
      const { maxPendingBytes, network, meanFaultPauseMs } = withRoomForShards(narrow(plan));
      expect(maxPendingBytes).toBe(512 * shards);
      expect(network).toEqual({ ...plan.network, bytesPerMs: 2 * shards });
      expect(meanFaultPauseMs).toBe(3_000);
    }
  });

  test("keeps what it has drawn where that is more", () => {
    const [plan] = many as [ScenarioPlan, ...ScenarioPlan[]];
    const network = { ...plan.network, bytesPerMs: 50_000 };
    const wide = { ...plan, network, maxPendingBytes: 1_000_000, meanFaultPauseMs: 5_000 };
    expect(withRoomForShards(wide)).toEqual(wide);
  });

  test("is the only one that is given more room than it has drawn", () => {
    const others = plans.filter((plan) => shardsOf(plan) < MANY_SHARDS).map(narrow);
    expect(others.map(withRoomForShards)).toEqual(others);
  });
});
