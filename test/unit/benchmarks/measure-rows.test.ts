import { expect, test } from "vitest";
import { Latencies } from "../../../benchmarks/support/latencies.ts";
import { measureRows, planOf } from "../../../benchmarks/support/measure-rows.ts";
import { Results } from "../../../benchmarks/support/results.ts";
import type { Entrant } from "../../../benchmarks/support/turns.ts";

/** Does so many operations a second, whatever it is asked for. */
function steady(opsPerSecond: number): Entrant {
  return {
    party: undefined,
    slice: async (durationMs) => {
      const latencies = new Latencies();
      latencies.record(1e9 / opsPerSecond);
      return { operations: (opsPerSecond * durationMs) / 1_000, elapsedMs: durationMs, latencies };
    },
  };
}

test("a row has as many slices of a quarter of a second as its seconds have", () => {
  expect(planOf(1.5, 2, false)).toEqual({ rounds: 6, sliceMs: 250 });
  expect(planOf(2.1, 1, false)).toMatchObject({ rounds: 8 });
});

test("a row that is shorter than two slices has two shorter ones", () => {
  expect(planOf(0.1, 2, false)).toEqual({ rounds: 2, sliceMs: 50 });
});

test.each([1, 2, 4])(
  "%d durable turns together take as long as it is from one write of the state to the next",
  (turns) => {
    const { rounds, sliceMs } = planOf(0.1, turns, true);
    const oneAfterTheOther = rounds * turns * (sliceMs + 20);
    expect(oneAfterTheOther).toBeGreaterThan(4_800);
    expect(oneAfterTheOther).toBeLessThan(5_500);
  },
);

test("a durable row that is longer by itself is as long as it is told", () => {
  expect(planOf(10, 2, true)).toEqual({ rounds: 40, sliceMs: 250 });
});

test("the rows and their floor come out beside each other, each with its ratio", async () => {
  const results = new Results();
  await measureRows({
    ...{ results, seconds: 0.5, inFlight: 64 },
    floor: { name: "floor", entrant: steady(10_000) },
    rows: [
      { name: "put", entrant: steady(2_500) },
      { name: "get", entrant: steady(5_000) },
    ],
  });
  expect(results.measurements()).toMatchObject([
    { name: "floor", inFlight: 64, opsPerSecond: 10_000, floorRatio: null, p50FloorRatio: null },
    { name: "put", floorRatio: 0.25, floorRatioRange: [0.25, 0.25] },
    { name: "get", floorRatio: 0.5, floorRatioRange: [0.5, 0.5] },
  ]);
});
