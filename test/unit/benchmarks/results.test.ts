import { expect, test } from "vitest";
import { Latencies } from "../../../benchmarks/support/latencies.ts";
import { Results } from "../../../benchmarks/support/results.ts";
import type { Slice } from "../../../benchmarks/support/slice.ts";

function slice(operations: number, elapsedMs: number, us: number): Slice {
  const latencies = new Latencies();
  latencies.record(us * 1_000, operations);
  return { operations, elapsedMs, latencies };
}

test("a row is the sum of its slices, with what it came to beside its floor", () => {
  const results = new Results();
  results.add("put", 64, [slice(100, 50, 10), slice(200, 50, 20)], {
    ...{ ratio: 0.4567, low: 0.401, high: 0.5, p50Ratio: 2.345 },
  });
  const [row] = results.measurements();
  expect(row).toMatchObject({
    ...{ name: "put", inFlight: 64, opsPerSecond: 3_000, floorRatio: 0.46, p50FloorRatio: 2.35 },
    floorRatioRange: [0.4, 0.5],
  });
  expect(row?.p50Us).toBeCloseTo(20, 0);
});

test("a floor is made of what was measured of it beside each of its rows", () => {
  const results = new Results();
  results.add("floor", 1, [slice(100, 50, 10)]);
  results.add("put", 1, [slice(10, 50, 99)]);
  results.add("floor", 1, [slice(50, 50, 30)]);
  expect(results.measurements()).toMatchObject([
    { name: "floor", opsPerSecond: 1_500, floorRatio: null, floorRatioRange: null },
    { name: "put", opsPerSecond: 200 },
  ]);
});

test("rows stand in the order in which they were announced, and those that were not measured nowhere", () => {
  const results = new Results();
  results.announce(["put", "get"], [1, 64]);
  results.add("get", 64, [slice(1, 1, 1)]);
  results.add("later", 1, [slice(1, 1, 1)]);
  results.add("put", 64, [slice(1, 1, 1)]);
  results.add("put", 1, [slice(1, 1, 1)]);
  expect(results.measurements().map(({ name, inFlight }) => `${name} ${inFlight}`)).toEqual([
    ...["put 1", "put 64", "get 64", "later 1"],
  ]);
});
