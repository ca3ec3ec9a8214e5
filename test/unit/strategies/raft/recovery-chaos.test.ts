import { expect, test } from "vitest";
import type { PlantedRecoveryBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { runRecovery } from "./world/recovery-chaos.ts";

/** For each bug that can be planted a seed whose recovery shows it. */
const FOUND_AT: Readonly<Record<keyof PlantedRecoveryBugs, number>> = Object.freeze({
  recoveredInOldGroup: 16,
  supersededCounts: 37,
  supersededForgotten: 19,
});
const SLOW = { timeout: 60_000 };

test.each(Object.entries(FOUND_AT))("%s is found", SLOW, (bug, seed) => {
  expect(() => runRecovery({ seed, planted: { [bug]: true } })).toThrow();
  // The same world without the bug is without fault.
  expect(() => runRecovery({ seed })).not.toThrow();
});

test.each([3, 4, 5, 6, 7, 8])(
  "seed %i: one group is left, and everybody has what it has",
  SLOW,
  (seed) => {
    const world = runRecovery({ seed });
    const groups = world.nodes.map(({ consensus }) => consensus?.describe().group as number);
    expect(new Set(groups).size).toBe(1);
    expect(groups[0]).toBeGreaterThan(0);
  },
);
