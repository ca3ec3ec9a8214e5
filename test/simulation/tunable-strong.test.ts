import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { checkLinearizable, registerModel } from "../../src/verification/index.ts";
import { Cluster } from "../support/cluster.ts";
import type { NetworkFaults } from "../support/cluster-network.ts";
import { Workload, type WorkloadReport } from "../support/cluster-workload.ts";

/** Every tenth frame or so is late by up to several round trips, so that writes stay half done. */
const FAULTS: NetworkFaults = {
  loss: 0.06,
  doubling: 0.05,
  delayMs: [0.2, 4],
  slow: 0.2,
  slowMs: [5, 80],
};
/** Within the default `clock.maxSkew` of 10 s. */
const SKEWS_MS = [0, 4_000, -4_000];

interface Run {
  readonly report: WorkloadReport;
  readonly network: { readonly sent: number; readonly lost: number; readonly doubled: number };
  /** Of every frame and what became of it. */
  readonly frames: string;
}

interface RunOptions {
  readonly planted?: PlantedBugs;
  /** Default 5. The fewer there are, the more operations meet. */
  readonly keys?: number;
  readonly during?: (cluster: Cluster, workload: Workload) => Promise<void>;
}

async function run(seed: number, operations: number, options: RunOptions = {}): Promise<Run> {
  const cluster = await Cluster.open({
    seed,
    keyspaces: { default: { strategy: makeTunableStrategy(options.planted), shards: 4 } },
    skewsMs: SKEWS_MS,
    faults: FAULTS,
  });
  const frames = createHash("sha256");
  cluster.network.onFrame = ({ atMs, from, to, lane, bytes, delaysMs }) =>
    frames.update(`${atMs} ${from} ${to} ${lane} ${bytes} ${delaysMs.join(" ")}\n`);
  const clients = { clients: 12, keys: options.keys ?? 5, level: "strong" } as const;
  const workload = new Workload(cluster, { ...clients, operations, seed });
  const running = workload.run();
  await options.during?.(cluster, workload);
  const report = await cluster.until(running);
  const { sent, lost, doubled } = cluster.network;
  await cluster.close();
  return { report, network: { sent, lost, doubled }, frames: frames.digest("hex") };
}

function verdictOf({ report }: Run): string {
  return checkLinearizable(registerModel, report.history).verdict;
}

describe("strong, on three nodes with skewed clocks, frames lost, doubled and reordered", () => {
  test("10,000 operations of 12 clients on 5 keys are linearizable, each key by itself", async () => {
    const result = await run(1, 10_000);
    const { sent, lost, doubled } = result.network;
    expect(lost / sent).toBeGreaterThan(0.05);
    expect(doubled / sent).toBeGreaterThan(0.03);
    // Neither a run in which little was answered, nor one in which nothing went wrong.
    expect(result.report.tally.ok).toBeGreaterThan(9_000);
    expect(result.report.tally.OUTCOME_UNKNOWN).toBeGreaterThan(20);
    expect(verdictOf(result)).toBe("legal");
  });

  test.each([2, 3, 4])("seed %i too", async (seed) => {
    expect(verdictOf(await run(seed, 2_000))).toBe("legal");
  });

  test("a node that is killed and comes back empty changes nothing", async () => {
    const result = await run(5, 3_000, {
      during: async (cluster, workload) => {
        await cluster.waitFor(() => workload.begun > 1_000);
        cluster.kill("n3");
        await cluster.advance(300);
        await cluster.restart("n3");
      },
    });
    expect(verdictOf(result)).toBe("legal");
  });

  test.each<[string, PlantedBugs]>([
    ["write-back is switched off", { strongReadDoesNotWriteBack: true }],
    ["learning the greatest stamp is switched off", { strongWriteDoesNotLearn: true }],
  ])("a violation is found within ten seeds when %s", async (_what, planted) => {
    const found: number[] = [];
    for (let seed = 1; seed <= 10 && found.length === 0; seed++) {
      const result = await run(seed, 2_000, { planted, keys: 2 });
      if (verdictOf(result) === "illegal") found.push(seed);
    }
    expect(found).toHaveLength(1);
  });

  test("the same seed gives the same run, another seed another", async () => {
    const first = await run(7, 600);
    const second = await run(7, 600);
    const third = await run(8, 600);
    expect(second).toEqual(first);
    expect(third.frames).not.toBe(first.frames);
    expect(third.report.trace).not.toBe(first.report.trace);
  });
});
