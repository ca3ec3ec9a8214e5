import Table from "cli-table3";

export interface Measurement {
  readonly name: string;
  readonly inFlight: number;
  readonly opsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Throughput as a part of the floor's with as many in flight; null where there is no floor. */
  readonly floorRatio: number | null;
  /** Median latency as a multiple of the floor's: the median of the rounds. */
  readonly p50FloorRatio: number | null;
  /** Between these is the throughput's ratio in the middle half of the rounds. */
  readonly floorRatioRange: readonly [low: number, high: number] | null;
}

export function formatTable(rows: readonly Measurement[]): string {
  const table = new Table({
    head: ["name", "in flight", "ops/s", "p50", "p99", "of floor", "half of rounds", "p50 × floor"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    table.push([
      row.name,
      row.inFlight,
      row.opsPerSecond.toLocaleString("en"),
      describeMicroseconds(row.p50Us),
      describeMicroseconds(row.p99Us),
      row.floorRatio ?? "",
      row.floorRatioRange?.join("–") ?? "",
      row.p50FloorRatio ?? "",
    ]);
  }
  return table.toString();
}

/** `2.4 µs`, `386 µs`, `1.4 ms`: one decimal below 10 µs and in milliseconds, from 1,000 µs on. */
export function describeMicroseconds(us: number): string {
  // By what is shown: 999.6 would be 1000 µs.
  if (Math.round(us) >= 1_000) return `${(us / 1_000).toFixed(1)} ms`;
  return us < 9.95 ? `${us.toFixed(1)} µs` : `${Math.round(us)} µs`;
}
