import { describe, expect, test } from "vitest";
import { withFigures } from "../../../scripts/figure-tables.ts";

const ROWS = [
  {
    name: "put quorum, durable, nats",
    inFlight: 64,
    opsPerSecond: 12_345,
    p50Us: 1_449,
    p99Us: 9_000,
    floorRatio: 0.31,
    p50FloorRatio: 2.5,
    floorRatioRange: null,
  },
  {
    name: "put quorum at half load, quiet",
    inFlight: 0,
    opsPerSecond: 50_000,
    p50Us: 8.04,
    p99Us: 17,
    floorRatio: null,
    p50FloorRatio: null,
    floorRatioRange: null,
  },
];

describe("withFigures", () => {
  test("fills lines named as the benchmark names them, with gaps where there is no floor", () => {
    const page = [
      "before",
      "| row | in flight | per second | p50 | p99 | of its floor's throughput | p50 ÷ its floor's |",
      "|---|---:|---:|---:|---:|---:|---:|",
      "| put quorum, durable, nats | 64 | 1 | 2 | 3 | 4 | 5 |",
      "| put quorum at half load, quiet | paced | 1 | 2 | 3 |  |  |",
      "",
    ].join("\n");
    expect(withFigures(page, ROWS).split("\n")).toEqual([
      ...page.split("\n").slice(0, 3),
      "| put quorum, durable, nats | 64 | 12,345 | 1.4 ms | 9.0 ms | 0.31 | 2.5 |",
      "| put quorum at half load, quiet | paced | 50,000 | 8.0 µs | 17 µs |  |  |",
      "",
    ]);
  });

  test("finds a row by what a reader calls it", () => {
    const page = [
      "| puts | in flight | per second | p50 |",
      "|---|---:|---:|---:|",
      "| tunable `quorum`, disk, NATS | 64 | 1 | 2 |",
    ].join("\n");
    expect(withFigures(page, ROWS)).toContain(
      "| tunable `quorum`, disk, NATS | 64 | 12,345 | 1.4 ms |",
    );
  });

  test("leaves other tables and all prose alone", () => {
    const page = "| level | in flight | said |\n|---|---|---|\n| one | 1 | no |\n\ntext | 64 |\n";
    expect(withFigures(page, ROWS)).toBe(page);
  });

  test("names a line of which the run has nothing", () => {
    const page = "| row | in flight | p50 |\n|---|---:|---:|\n| raft get lease | 1 | 2 |";
    expect(() => withFigures(page, ROWS)).toThrow('no row "raft get lease", 1 in flight');
  });
});
