import { expect, test } from "vitest";
import type { PlantedPairBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { runChaos } from "./world/chaos.ts";

const FIRST_SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 40);
const CHAOS_MS = 1_500;

test("a shard that may rest keeps Figure 3, rests in the end, and survives its resting leader", () => {
  let leaders = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    leaders += runChaos({ seed, chaosMs: CHAOS_MS, rests: {} }).checks.elections;
  }
  expect(leaders).toBeGreaterThan(SEEDS);
}, 600_000);

function firstSeed(bug: keyof PlantedPairBugs): number | undefined {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      runChaos({ seed, chaosMs: CHAOS_MS, rests: { [bug]: true } });
    } catch {
      return seed;
    }
  }
  return undefined;
}

test("a follower that never stops believing in its resting leader is found", () => {
  expect(firstSeed("silenceBelieved")).toBeDefined();
}, 600_000);
