import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runScenario } from "../../src/simulation/scenario/run-scenario.ts";
import { REGRESSION_SEEDS } from "./regression-seeds.ts";

const ROOT = new URL("../../", import.meta.url);

describe("a seed that has found something", () => {
  test.each(REGRESSION_SEEDS)(
    "$seed has a directed test for it",
    ({ what, commit, test: stands }) => {
      expect(what).toMatch(/^[A-Z].*\.$/);
      expect(commit).not.toBe("");
      const source = readFileSync(new URL(stands.file, ROOT), "utf8");
      expect(source).toContain(JSON.stringify(stands.name));
    },
  );

  test("stands in the table once, in order", () => {
    const seeds = REGRESSION_SEEDS.map(({ seed }) => seed);
    expect(seeds).toEqual([...new Set(seeds)].sort((a, b) => a - b));
  });

  const run = REGRESSION_SEEDS.filter(({ runs }) => runs !== undefined);
  test.each(run)("$seed keeps every promise: $what", async ({ seed, strategies, runs = "" }) => {
    const { violations, isExcused, sometimes, faults } = await runScenario(seed, { strategies });
    expect({ violations, isExcused }).toEqual({ violations: [], isExcused: false });
    expect(sometimes[runs] ?? faults[runs] ?? 0).toBeGreaterThan(0);
  });
});
