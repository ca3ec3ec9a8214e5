import { describe, expect, test } from "vitest";
import { runScenario, type ScenarioOptions } from "../../src/simulation/scenario/run-scenario.ts";
import { makeRaftStrategy } from "../../src/strategies/raft/raft-strategy.ts";

/** Three nodes with disks, and writes that are acknowledged as `fsync`. */
const SEED = 24;
const SLOW = { timeout: 60_000 };

async function foundBySeed(options: ScenarioOptions): Promise<readonly string[]> {
  const { violations, plan } = await runScenario(SEED, { strategies: ["raft"], ...options });
  expect(plan.keyspaces[0]?.configuration.durability).toBe("fsync");
  return [...new Set(violations.map(({ check }) => check))];
}

describe(
  "of a write that a client is told of, the disks of a majority have the entry",
  SLOW,
  () => {
    test("where every part keeps its promise", async () => {
      expect(await foundBySeed({})).toEqual([]);
    });

    test("but not where a follower vouches for what it has not synced", async () => {
      const raft = makeRaftStrategy({ ackBeforeDurable: true });
      expect(await foundBySeed({ substitutes: { raft } })).toContain("durable-quorum");
    });

    test("nor where words leave a node before what they vouch for is durable", async () => {
      const planted = { host: { wordsBeforeDurability: true } };
      expect(await foundBySeed({ planted })).toContain("durable-quorum");
    });
  },
);
