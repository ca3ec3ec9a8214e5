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
