import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { drawPlan } from "../../src/simulation/scenario/plan.ts";
import {
  runScenario,
  type ScenarioOptions,
  type ScenarioReport,
} from "../../src/simulation/scenario/run-scenario.ts";

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);
/** Of which the trace is compared with another process's; short ones. */
const REPEATED = [3, 5, 8];

/** @param boldCopies of the copies that a peer may not know to be old, so many are put in place. */
function copies(boldCopies: number): ScenarioOptions {
  return { strategies: ["tunable"], adjust: (plan) => ({ ...plan, boldCopies }) };
}

function seedsWithCopies(count: number): readonly number[] {
  const seeds: number[] = [];
  for (let seed = 5_000; seeds.length < count; seed += 1) {
    const { faults, storage, nodes } = drawPlan(seed, ["tunable"]);
    if (faults.includes("old-copy") && storage === "disk" && nodes >= 3) seeds.push(seed);
  }
  return seeds;
}

describe("a seed of chaos, then calm", () => {
  const reports = new Map<number, Promise<ScenarioReport>>();
  /** Each seed runs once in this process, whichever test asks first. */
  function reportOf(seed: number): Promise<ScenarioReport> {
    const report = reports.get(seed) ?? runScenario(seed);
    reports.set(seed, report);
    return report;
  }

  test.each(SEEDS)("seed %i keeps every promise", async (seed) => {
    const { violations, operations, faults, simulatedMs } = await reportOf(seed);
    expect(violations).toEqual([]);
    expect(operations).toBeGreaterThanOrEqual(500);
    expect(Object.values(faults).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(20);
    expect(simulatedMs).toBeGreaterThanOrEqual(60_000);
  });

  test("an old copy that all peers know for one is recognised, and counts nowhere", async () => {
    let recognised = 0;
    for (const seed of seedsWithCopies(4)) {
      const { violations, isExcused, sometimes } = await runScenario(seed, copies(0));
      expect({ seed, violations, isExcused }).toEqual({ seed, violations: [], isExcused: false });
      recognised += sometimes["an old copy was recognised"] ?? 0;
    }
    expect(recognised).toBeGreaterThan(0);
  });

  test("an old copy that a peer could not know for one may count, and is an excuse", async () => {
    // A copy of a node meets one that was cut off from all that the node had acknowledged since.
    for (const seed of seedsWithCopies(40)) {
      const { violations, isExcused } = await runScenario(seed, copies(1));
      expect({ seed, violations }).toEqual({ seed, violations: [] });
      if (isExcused) return;
    }
    throw new Error("no copy has counted in any of 40 seeds");
  });

  test("the same seeds have the same traces in another process", async () => {
    const here: string[] = [];
    for (const seed of REPEATED) here.push((await reportOf(seed)).trace);
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
