import { expect, test } from "vitest";
import { describeMicroseconds, formatTable } from "../../../benchmarks/support/measurement.ts";

test.each([
  [0.9, "0.9 µs"],
  [9.94, "9.9 µs"],
  [9.96, "10 µs"],
  [386.2, "386 µs"],
  [999.4, "999 µs"],
  [999.6, "1.0 ms"],
  [1_000, "1.0 ms"],
  [14_720, "14.7 ms"],
])("%d microseconds are shown as %s", (us, text) => {
  expect(describeMicroseconds(us)).toBe(text);
});

test("a table has each latency with its unit", () => {
  const table = formatTable([
    {
      ...{ name: "put", inFlight: 64, opsPerSecond: 48_467 },
      ...{ p50Us: 999.9, p99Us: 87.3, floorRatio: null, p50FloorRatio: null },
      floorRatioRange: null,
    },
  ]);
  expect(table).toMatch(/in flight[^\n]*p50 │\s+p99/);
  expect(table).toMatch(/put[^\n]*48,467[^\n]* 1\.0 ms [^\n]* 87 µs /);
  expect(table).not.toContain("1000");
});
