import { expect, test } from "vitest";
import { Latencies } from "../../../benchmarks/support/latencies.ts";

test("a percentile is at most 0.4 percent from the latency that it stands for", () => {
  for (let ns = 1; ns < 4e9; ns = Math.ceil(ns * 1.37)) {
    const latencies = new Latencies();
    latencies.record(ns);
    expect(Math.abs(latencies.percentileUs(50) * 1_000 - ns) / ns).toBeLessThanOrEqual(0.004);
  }
});

test("percentiles are those of all that was recorded, whatever its order", () => {
  const latencies = new Latencies();
  for (let us = 100; us >= 1; us--) latencies.record(us * 1_000);
  expect(latencies.percentileUs(50)).toBeCloseTo(50, 0);
  expect(latencies.percentileUs(99)).toBeCloseTo(99, 0);
  expect(latencies.percentileUs(100)).toBeCloseTo(100, 0);
  expect(latencies.percentileUs(0)).toBeCloseTo(1, 1);
});

test("a batch counts as many times as it has operations", () => {
  const latencies = new Latencies();
  latencies.record(100, 3);
  latencies.record(9_000);
  expect(latencies.percentileUs(75)).toBeCloseTo(0.1, 3);
  expect(latencies.percentileUs(76)).toBeCloseTo(9, 1);
});

test("what took longer than can be counted counts as the longest", () => {
  const latencies = new Latencies();
  latencies.record(60e9);
  expect(latencies.percentileUs(50)).toBeGreaterThan(4.2e6);
  latencies.record(-1);
  expect(latencies.percentileUs(50)).toBe(0);
});

test("nothing recorded has percentiles of 0", () => {
  expect(new Latencies().percentileUs(50)).toBe(0);
});

test("latencies of two processes add up to those of both", () => {
  const here = new Latencies();
  const there = new Latencies();
  const both = new Latencies();
  for (let i = 1; i <= 500; i++) {
    (i % 3 === 0 ? here : there).record(i * i * 10);
    both.record(i * i * 10);
  }
  here.add(Latencies.of(JSON.parse(JSON.stringify(there.counts()))));
  expect(here.counts()).toEqual(both.counts());
});
