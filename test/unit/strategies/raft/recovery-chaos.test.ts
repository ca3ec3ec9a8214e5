import { expect, test } from "vitest";
import type { PlantedRecoveryBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { BrokenProperty } from "./world/broken-property.ts";
import { runRecovery } from "./world/recovery-chaos.ts";

interface Found {
  readonly seed: number;
  /** What the bug breaks: any other error is none that the world was to find. */
  readonly property: string;
}

/** For each bug that can be planted a seed whose recovery shows it. */
const FOUND_AT: Readonly<Record<keyof PlantedRecoveryBugs, Found>> = Object.freeze({
  recoveredInOldGroup: { seed: 5, property: "Log Matching" },
  supersededCounts: { seed: 37, property: "the leader lacks what is committed" },
  supersededForgotten: { seed: 1, property: "the leader lacks what is committed" },
});
const SLOW = { timeout: 60_000 };

test.each(Object.entries(FOUND_AT))("%s is found", SLOW, (bug, { seed, property }) => {
  const found = errorOf(() => runRecovery({ seed, planted: { [bug]: true } }));
  expect(found).toBeInstanceOf(BrokenProperty);
  expect((found as Error).message).toContain(property);
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

function errorOf(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
