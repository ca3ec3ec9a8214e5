import { describe, expect, test } from "vitest";
import { type SeedOutcome, SeedTally } from "../../../scripts/seed-tally.ts";
import { drawPlan } from "../../../src/simulation/scenario/plan.ts";
import type { ScenarioReport } from "../../../src/simulation/scenario/run-scenario.ts";

const PLAN = drawPlan(1, ["tunable"]);

function outcome(seed: number, changes: Partial<ScenarioReport> = {}): SeedOutcome {
  const report: ScenarioReport = {
    ...{ seed, plan: PLAN, violations: [], trace: `trace of ${seed}` },
    ...{ simulatedMs: 60_000, chaosMs: 60_000, events: 1, operations: 500, chaosOperations: 500 },
    chaosAnswers: 700,
    ...{ checked: 400, unknownVerdicts: 0, isExcused: false },
    ...{ faults: { kill: 20 }, tally: {}, sometimes: {} },
    ...changes,
  };
  return { seed, report };
}

/** Of the seeds the first so many are special. */
function tallyOf(seeds: number, special: number, changes: Partial<ScenarioReport>): SeedTally {
  const tally = new SeedTally(seeds, ["tunable"], () => undefined);
  for (let seed = 1; seed <= seeds; seed += 1) {
    tally.add(outcome(seed, seed <= special ? changes : {}));
  }
  return tally;
}

describe.each([
  ["without a verdict", { unknownVerdicts: 3 }, "2 of 100 seeds left a check without a verdict"],
  ["excused", { isExcused: true }, "2 of 100 seeds were excused"],
])("a run of seeds, some of them %s", (_how, changes, message) => {
  test("stands with one of a hundred", () => {
    const tally = tallyOf(100, 1, changes);
    expect(tally.hasFailed).toBe(false);
    expect(tally.describe(1_000)).toContain("no violation found in 100 seeds");
  });

  test("fails with two of a hundred, and says so", () => {
    const tally = tallyOf(100, 2, changes);
    expect(tally.hasFailed).toBe(true);
    expect(tally.describe(1_000)).toContain(message);
    expect(tally.describe(1_000)).not.toContain("no violation");
  });

  test("is not judged by its shares below a hundred seeds", () => {
    expect(tallyOf(99, 30, changes).hasFailed).toBe(false);
  });
});

describe("a run of seeds", () => {
  test("fails with a violation, whose seed and command it says", () => {
    const tally = tallyOf(1, 1, { violations: [{ check: "lost-write", message: "k is gone" }] });
    expect(tally.hasFailed).toBe(true);
    expect(tally.describe(1_000)).toMatch(/seed 1 \(npm run simulate -- --seed 1\): lost-write/);
  });

  test("fails with a seed that throws", () => {
    const tally = tallyOf(1, 0, {});
    tally.add({ seed: 2, thrown: "TypeError: no" });
    expect(tally.hasFailed).toBe(true);
  });

  test("fails where another process leaves another trace, and not where it leaves the same", () => {
    const tally = tallyOf(2, 0, {});
    tally.compare(outcome(1));
    expect(tally.hasFailed).toBe(false);
    tally.compare(outcome(2, { trace: "another" }));
    expect(tally.hasFailed).toBe(true);
    expect(tally.describe(1_000)).toContain("two traces: trace of 2 and another");
  });

  test("fails, if it is long, where a rare state was never reached", () => {
    const tally = tallyOf(1_000, 0, {});
    expect(tally.hasFailed).toBe(true);
    expect(tally.describe(1_000)).toContain("never reached: a replica was rebuilt");
  });
});
