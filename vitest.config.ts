import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * As many at a time as there are processors: by itself Vitest leaves one of them free, which on two
 * would be one test file after the other.
 */
const maxWorkers = availableParallelism();

// One project per kind of evidence, run one after another (`groupOrder`), so that the tests that
// start real processes never compete for the processor with anything else. Modules hold no state
// (a rule of the house), so that files of tests without processes share those of their worker
// (`isolate`) rather than load some hundred of them each.
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
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          testTimeout: 120_000,
          maxWorkers,
          isolate: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "house",
          include: ["test/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: "examples",
          include: ["examples/**/*.test.ts"],
          testTimeout: 120_000,
          maxWorkers,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: "processes",
          include: ["test/processes/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
