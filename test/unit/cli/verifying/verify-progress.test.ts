import { expect, test } from "vitest";
import { describeTotals, VerifyProgress } from "../../../../src/cli/verifying/verify-progress.ts";
import { fakeSurroundings } from "../fake-surroundings.ts";

const TOTALS = {
  histories: 12,
  simulatedMs: 730_400,
  faults: 401,
  operations: 20_000,
  checked: 15_230,
  violated: 0,
};

test("what was done so far is said in numbers", () => {
  expect(describeTotals(TOTALS, 50)).toBe(
    "12 of 50 histories, 730 s simulated, 401 faults, 15,230 operations checked, no violation found",
  );
  expect(describeTotals({ ...TOTALS, histories: 1, violated: 2 }, 1)).toBe(
    "1 history, 730 s simulated, 401 faults, 15,230 operations checked, 2 promises violated",
  );
});

test("a resolver that breaks its laws is told beside the promises, never as no violation", () => {
  expect(describeTotals(TOTALS, 12, 1)).toMatch(/checked, 1 resolver breaks its laws$/);
  expect(describeTotals({ ...TOTALS, violated: 1 }, 12, 2)).toMatch(
    /checked, 1 promise violated, 2 resolvers break their laws$/,
  );
});

function timed() {
  const surroundings = fakeSurroundings();
  const clock = { nowMs: 0 };
  surroundings.environment.monotonicMs = () => clock.nowMs;
  return { surroundings, clock };
}

test("without a terminal there is a line every five seconds, on standard error", () => {
  const { surroundings, clock } = timed();
  const progress = new VerifyProgress(50, false, surroundings);
  for (const nowMs of [1_000, 5_000, 6_000, 10_000]) {
    clock.nowMs = nowMs;
    progress.update(TOTALS);
  }
  progress.end();
  expect(surroundings.stderr.text.match(/verifying: 12 of 50 histories/g)).toHaveLength(2);
  expect(surroundings.stdout.text).toBe("");
});

test("nothing of it where JSON is asked for", () => {
  const { surroundings, clock } = timed();
  const progress = new VerifyProgress(50, true, surroundings);
  clock.nowMs = 60_000;
  progress.update(TOTALS);
  progress.end();
  expect(surroundings.stderr.text).toBe("");
});
