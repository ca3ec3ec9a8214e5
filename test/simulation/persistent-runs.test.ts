import { describe, expect, test } from "vitest";
import { MISHAPS, runPersistent } from "../support/persistent-runs.ts";

/**
 * Each run checks that no write is lost that was acknowledged under the promise of its keyspace's
 * durability, that `strong` stays linearizable, and that every node serves in the end.
 */
describe("three nodes on disks, under load", () => {
  test.each(MISHAPS.map((mishap, index) => [mishap, 100 + index] as const))(
    "keep what they promised over %s (seed %i)",
    async (mishap, seed) => {
      const run = await runPersistent(seed, { mishaps: [mishap, mishap], operations: 400 });
      expect(run.violations).toEqual([]);
      // Something was answered before, between and after. Where all are killed, what is kept in memory
      // is learned for seconds, and whoever asks meanwhile is refused at once, and asks again.
      for (const [keyspace, { tally }] of run.reports) {
        const isLearned = mishap === "all-kill" && keyspace === "memory";
        expect(tally.ok).toBeGreaterThan(isLearned ? 10 : 50);
      }
    },
  );

  test.each([1, 2, 3, 4])("and over one mishap after the other (seed %i)", async (seed) => {
    const { violations, mishaps } = await runPersistent(seed, { operations: 700 });
    expect([mishaps, violations]).toEqual([mishaps, []]);
  });

  test("the same seed gives the same run", async () => {
    const tracesOf = async (seed: number) => {
      const { reports } = await runPersistent(seed, { operations: 200 });
      return [...reports.values()].map(({ trace }) => trace);
    };
    const first = await tracesOf(9);
    expect(await tracesOf(9)).toEqual(first);
    expect(await tracesOf(10)).not.toEqual(first);
  });
});
