import { expect, test } from "vitest";
import { InvariantViolation } from "../../../../src/strategies/raft/invariant.ts";
import type {
  PlantedClearanceBugs,
  PlantedConsensusBugs,
  PlantedMembershipBugs,
  PlantedRecoveryBugs,
} from "../../../../src/strategies/raft/planted-bugs.ts";
import { BrokenProperty } from "./world/broken-property.ts";
import { runChaos } from "./world/chaos.ts";

/**
 * What only recoveries show is in `recovery-chaos.test.ts`, what only damage shows where the shard
 * was in `moved-away-chaos.test.ts`, what only an earlier store shows in `store-back-chaos.test.ts`, and
 * what only whole stores show in `test/simulation/planted`.
 * `snapshotInstalledOverNewer` takes more luck than 2,000 seeds have: `snapshot-receiver.test.ts`.
 */
type BugOfConsensus = Exclude<
  keyof PlantedConsensusBugs,
  | keyof PlantedRecoveryBugs
  | keyof PlantedMembershipBugs
  | keyof PlantedClearanceBugs
  | "snapshotInstalledOverNewer"
>;

/**
 * For each bug that can be planted the first seed whose chaos shows it. `CAPSTAN_FIND=1` looks for
 * it anew, from seed 1 on, and says where the table is behind.
 */
const FOUND_AT: Readonly<Record<BugOfConsensus, number>> = Object.freeze({
  voteNotKept: 1,
  oldTermCommitted: 17,
  readBeforeOwnCommit: 1,
  readUnconfirmed: 1,
  leaseByRole: 15,
  quorumUnchecked: 6,
  promiseForgotten: 426,
  jointSkipped: 4,
  configurationAtCommit: 2,
  unreadyPromoted: 2,
  snapshotBeyondState: 2,
  appliedTwice: 1,
  lostTailVotes: 164,
  startSilenceSkipped: 15,
  ackBeforeDurable: 1,
  leaderCountsUnsynced: 1,
});
const MAX_SEEDS = 500;
const CHAOS_MS = 2_000;

function shows(bug: string, seed: number): boolean {
  try {
    runChaos({ seed, chaosMs: CHAOS_MS, planted: { [bug]: true } });
    return false;
  } catch (error) {
    // Code that a bug merely breaks is not a property that it breaks.
    if (error instanceof BrokenProperty || error instanceof InvariantViolation) return true;
    throw error;
  }
}

function firstSeed(bug: string): number | undefined {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) if (shows(bug, seed)) return seed;
  return undefined;
}

test.each(Object.entries(FOUND_AT))(
  "%s is found",
  (bug, seed) => {
    const found = process.env.CAPSTAN_FIND === undefined ? seed : firstSeed(bug);
    expect(found, `the first seed of ${MAX_SEEDS} that shows ${bug}`).toBe(seed);
    // The same world without the bug is without fault.
    expect(() => runChaos({ seed, chaosMs: CHAOS_MS })).not.toThrow();
    expect(shows(bug, seed)).toBe(true);
  },
  600_000,
);
