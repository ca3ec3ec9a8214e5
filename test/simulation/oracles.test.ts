import { expect, test } from "vitest";
import type { StoreEvent } from "../../src/core/store/api.ts";
import { runScenario } from "../../src/simulation/scenario/run-scenario.ts";
import type { SimWorld } from "../../src/simulation/sim-world.ts";
import { runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject } from "../../src/simulation/verify/subject.ts";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";

// What no planted bug brings about is fed to the simulator, to see that it finds it.

const SEED = 1;
const IN_CHAOS_MS = 20_000;

/** The checks that a seed finds something by, where its only faults are partitions. */
async function checksOf(feed: (world: SimWorld) => void): Promise<readonly string[]> {
  const { violations } = await runScenario(SEED, {
    strategies: ["tunable"],
    adjust: (plan) => ({ ...plan, storage: "disk", faults: ["partition"] }),
    prepare: (world) => {
      world.time.setTimer(IN_CHAOS_MS, () => feed(world));
    },
  });
  return [...new Set(violations.map(({ check }) => check))];
}

function failed(code: string): StoreEvent {
  return { type: "failed", code } as unknown as StoreEvent;
}

test("without that the seed finds nothing", async () => {
  expect(await checksOf(() => undefined)).toEqual([]);
});

test("a node that takes another for its own double, where there is none, is found", async () => {
  const checks = await checksOf((world) => world.onEvent?.("n1", failed("IDENTITY_CONFLICT")));
  expect(checks).toEqual(["unfounded-conflict"]);
});

test("a node that takes its data for an older copy, which they are not, is found", async () => {
  const checks = await checksOf((world) => world.onEvent?.("n1", failed("DATA_DISOWNED")));
  expect(checks).toEqual(["unfounded-disowning"]);
});

test("more than may wait for the state is found", async () => {
  const checks = await checksOf(({ nodes }) => {
    for (const { disk } of nodes) {
      const state = disk.storage?.state;
      if (state !== undefined) Object.defineProperty(state, "pendingBytes", { get: () => 1e15 });
    }
  });
  expect(checks).toContain("queue-bound");
});

test("a node that fails by a bug of its own is found in a history, too", async () => {
  let looked = 0;
  const planted: PlantedBugs = {
    get oneAnswerLess(): boolean {
      looked += 1;
      if (looked === 300) throw new Error("a bug of its own");
      return false;
    },
  };
  const subject = await inspectSubject(
    {
      cluster: { nodes: ["n1", "n2", "n3"] },
      transport: { type: "nats" },
      keyspaces: { profiles: { strategy: makeTunableStrategy(planted) } },
    },
    "profiles",
  );
  const { findings } = await runHistory({ ...subject, pairs: [subject.defaults] }, SEED);
  const found = findings.find(({ check }) => check === "no-fault-of-its-own");
  expect(found).toMatchObject({ isPromised: true, verdict: "illegal" });
  expect(found?.broken?.sentence).toContain("a machine's step threw");
});
