import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runScenario } from "../../src/simulation/scenario/run-scenario.ts";

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);
/** Of which the trace is compared with another process's. */
const REPEATED = [3, 9, 14];

describe("a seed of chaos, then calm", () => {
  test.each(SEEDS)("seed %i keeps every promise", async (seed) => {
    const { violations, operations, faults, simulatedMs } = await runScenario(seed);
    expect(violations).toEqual([]);
    expect(operations).toBeGreaterThanOrEqual(500);
    expect(Object.values(faults).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(20);
    expect(simulatedMs).toBeGreaterThanOrEqual(60_000);
  });

  test("an old copy that a peer could not know for one counts, and is an excuse", async () => {
    // n1 and n2 write while n3 is cut off; a copy of n1 from before, cut off from n2, goes on with n3.
    const { violations, isExcused, sometimes } = await runScenario(5178);
    expect(violations).toEqual([]);
    expect(isExcused).toBe(true);
    expect(sometimes).toMatchObject({ "an old copy was recognised": 2 });
  });

  test("an old copy that one peer knows for one does not count with another", async () => {
    // n1 still took the process that the copy of n2 replaced for alive; n3, just back, could not know.
    // The copy and n3 answered a `strong` read with a value that n1 and n2 had replaced.
    const { violations, isExcused, sometimes } = await runScenario(5250);
    expect(violations).toEqual([]);
    expect(isExcused).toBe(false);
    expect(sometimes["an old copy was recognised"]).toBeGreaterThan(0);
  });

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
