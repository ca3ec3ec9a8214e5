import { expect, test } from "vitest";
import { runScenario } from "../../src/simulation/scenario/run-scenario.ts";

/** Short ones, of three nodes each: the shards lie on all of them, and can only be made smaller. */
const SEEDS = [21, 22, 24];

test.each(SEEDS)(
  "raft's seed %i has moves, wipes, cuts of the power and of the network, and keeps every promise",
  async (seed) => {
    const { plan, violations, faults, sometimes } = await runScenario(seed, {
      strategies: ["raft"],
    });
    expect(violations).toEqual([]);
    expect(plan.nodes).toBe(3);
    for (const kind of ["wipe", "power-cut", "partition"]) expect(faults[kind]).toBeGreaterThan(0);
    expect(sometimes["a raft shard was moved"]).toBeGreaterThan(0);
    expect(sometimes["a raft shard was held by one node or two"]).toBeGreaterThan(0);
  },
);
