import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * As many at a time as there are processors: by itself Vitest leaves one of them free, which on two
 * would be one test file after the other.
 */
const maxWorkers = availableParallelism();

/** Files that judge times or use of the processor, or that build: with nothing beside them. */
const ALONE = [
  "benchmark",
  "cluster-npm-start",
  "failover",
  "held-event-loop",
  "idle-shards",
  "nats-disk",
  "nats-failover",
  "nats-partition",
  "nats-store",
  "soak",
].map((name) => `test/processes/${name}.test.ts`);

for (const file of ALONE) {
  if (!existsSync(new URL(file, import.meta.url))) throw new Error(`there is no ${file}`);
}

const processes = {
  // Beyond what the tests themselves wait for a condition, so that they say which.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  globalSetup: "test/support/build-first.ts",
};

// One project per kind of evidence. The tests that start real processes come after all that keeps
// processors busy (`groupOrder`): two files at a time, of which most waits, and those that judge
// times one by one. Modules hold no state (a rule of the house), so that files of tests without
// processes share those of their worker (`isolate`) rather than load some hundred of them each.
export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "test/unit/**/*.test.ts",
            "test/conformance/**/*.test.ts",
            "test/types/**/*.test.ts",
          ],
          // What waits here waits for files or a disk, and so for whoever else uses the machine.
          testTimeout: 30_000,
          maxWorkers,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "house",
          include: ["test/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "examples",
          include: ["examples/**/*.test.ts"],
          testTimeout: 120_000,
          maxWorkers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          testTimeout: 120_000,
          maxWorkers,
          isolate: false,
          // Most of what a simulated second makes is garbage before the next: less of it is copied.
          execArgv: ["--max-semi-space-size=32"],
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "processes",
          include: ["test/processes/**/*.test.ts"],
          exclude: ALONE,
          maxWorkers: 2,
          ...processes,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: "processes-alone",
          include: ALONE,
          fileParallelism: false,
          ...processes,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
