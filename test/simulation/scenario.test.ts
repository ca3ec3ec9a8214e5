import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runScenario, type ScenarioOptions } from "../../src/simulation/scenario/run-scenario.ts";

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);
/** Of which the trace is compared with another process's. */
const REPEATED = [3, 9, 14];

/** Copies are put in place also where a peer may not know that they are old. */
const BOLD: ScenarioOptions = {
  strategies: ["tunable"],
  adjust: (plan) => ({ ...plan, boldCopies: 1 }),
};

describe("a seed of chaos, then calm", () => {
  test.each(SEEDS)("seed %i keeps every promise", async (seed) => {
    const { violations, operations, faults, simulatedMs } = await runScenario(seed);
    expect(violations).toEqual([]);
    expect(operations).toBeGreaterThanOrEqual(500);
    expect(Object.values(faults).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(20);
    expect(simulatedMs).toBeGreaterThanOrEqual(60_000);
  });

  test("an old copy that a peer could not know for one counts, and is an excuse", async () => {
    // A copy of a node meets one that was cut off from all that the node had acknowledged since.
    const { violations, isExcused, sometimes } = await runScenario(5252, BOLD);
    expect(violations).toEqual([]);
    expect(isExcused).toBe(true);
    expect(sometimes).toMatchObject({ "an old copy was recognised": 2 });
  });

  test.each([5184, 5190, 5250])(
    "seed %i: an old copy that is known for one counts nowhere",
    async (seed) => {
      const { violations, isExcused, sometimes } = await runScenario(seed, BOLD);
      expect(violations).toEqual([]);
      expect(isExcused).toBe(false);
      expect(sometimes["an old copy was recognised"]).toBeGreaterThan(0);
    },
  );

  test("the same seeds have the same traces in another process", async () => {
    const here: string[] = [];
    for (const seed of REPEATED) here.push((await runScenario(seed)).trace);
    expect(await tracesElsewhere(REPEATED)).toEqual(here);
    expect(new Set(here).size).toBe(REPEATED.length);
  });
});

async function tracesElsewhere(seeds: readonly number[]): Promise<readonly string[]> {
  const script = fileURLToPath(new URL("../support/print-traces.ts", import.meta.url));
  const args = ["--import", "tsx", script, ...seeds.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim().split("\n");
}
