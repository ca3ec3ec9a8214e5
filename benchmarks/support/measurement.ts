import { createHistogram, performance, type RecordableHistogram } from "node:perf_hooks";
import Table from "cli-table3";

export interface Measurement {
  readonly name: string;
  readonly inFlight: number;
  readonly opsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Throughput as a part of the floor's with as many in flight; null where there is no floor. */
  readonly floorRatio: number | null;
  /** Median latency as a multiple of the floor's. */
  readonly p50FloorRatio: number | null;
}

export interface GroupOptions {
  /** Measured time of each row, after a warm-up of half as long. */
  readonly seconds: number;
  /** What this run has measured before: the floor, if its group has run. */
  readonly earlier: readonly Measurement[];
}

export type Group = (options: GroupOptions) => Promise<readonly Measurement[]>;

/** The rows of `floor` if this run has measured them; else they are measured now. */
export async function earlierOr(
  earlier: readonly Measurement[],
  name: string,
  measure: () => Promise<readonly Measurement[]>,
): Promise<readonly Measurement[]> {
  const found = earlier.filter((row) => row.name === name);
  return found.length > 0 ? found : await measure();
}

/** Starts one operation; calls `done` when it has ended. */
export type StartOperation = (index: number, done: () => void) => void;

export interface LoopResult {
  readonly opsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const NS_PER_MS = 1_000_000;
/** A program whose promises never let the event loop turn hears from no peer and no timer. */
const LONGEST_TURN_MS = 1;

/**
 * A closed loop: keeps `inFlight` operations under way for the warm-up and then for the measured
 * time. Latency runs from the start of an operation to its `done`.
 */
export function closedLoop(
  inFlight: number,
  seconds: number,
  start: StartOperation,
): Promise<LoopResult> {
  return new Promise((resolve) => {
    const histogram: RecordableHistogram = createHistogram();
    const warmUpEndMs = performance.now() + seconds * 500;
    const endMs = warmUpEndMs + seconds * 1_000;
    let measuredSinceMs = 0;
    let completed = 0;
    let next = 0;
    let running = inFlight;
    let turnedMs = performance.now();
    const issue = () => {
      const startedMs = performance.now();
      start(next++, () => {
        const nowMs = performance.now();
        if (nowMs >= warmUpEndMs) {
          if (measuredSinceMs === 0) measuredSinceMs = nowMs;
          completed++;
          histogram.record(Math.max(1, Math.round((nowMs - startedMs) * NS_PER_MS)));
        }
        if (nowMs < endMs) {
          if (nowMs - turnedMs < LONGEST_TURN_MS) {
            issue();
            return;
          }
          turnedMs = nowMs;
          setImmediate(issue);
          return;
        }
        running--;
        if (running > 0) return;
        resolve({
          opsPerSecond: Math.round((completed / (nowMs - measuredSinceMs)) * 1_000),
          p50Us: round(histogram.percentile(50) / 1_000),
          p99Us: round(histogram.percentile(99) / 1_000),
        });
      });
    };
    for (let i = 0; i < inFlight; i++) issue();
  });
}

/** Operations are begun in groups, this far apart. */
const GROUP_MS = 4;

/**
 * An open loop: begins operations at a rate, whatever becomes of them, for the warm-up and then for
 * the measured time. Ends when the last one has ended.
 */
export function pacedLoop(
  opsPerSecond: number,
  seconds: number,
  start: StartOperation,
): Promise<LoopResult> {
  return new Promise((resolve) => {
    const histogram: RecordableHistogram = createHistogram();
    const beganMs = performance.now();
    const warmUpEndMs = beganMs + seconds * 500;
    const endMs = warmUpEndMs + seconds * 1_000;
    let next = 0;
    let measured = 0;
    let running = 0;
    const issue = () => {
      const startedMs = performance.now();
      running++;
      start(next++, () => {
        running--;
        if (startedMs < warmUpEndMs) return;
        measured++;
        histogram.record(Math.round((performance.now() - startedMs) * NS_PER_MS));
      });
    };
    const timer = setInterval(() => {
      const nowMs = performance.now();
      if (nowMs < endMs) {
        while (next < ((nowMs - beganMs) / 1_000) * opsPerSecond) issue();
      } else if (running === 0) {
        clearInterval(timer);
        resolve({
          opsPerSecond: Math.round(measured / seconds),
          p50Us: round(histogram.percentile(50) / 1_000),
          p99Us: round(histogram.percentile(99) / 1_000),
        });
      }
    }, GROUP_MS);
  });
}

/** `floor`: the rows that were measured and the name of those to be held against, if any. */
export function measurementOf(
  name: string,
  inFlight: number,
  result: LoopResult,
  floor?: { readonly rows: readonly Measurement[]; readonly name: string },
): Measurement {
  const base = floor?.rows.find((row) => row.name === floor.name && row.inFlight === inFlight);
  return {
    name,
    inFlight,
    ...result,
    floorRatio: base === undefined ? null : round(result.opsPerSecond / base.opsPerSecond),
    p50FloorRatio: base === undefined ? null : round(result.p50Us / base.p50Us),
  };
}

/** The floor in memory over TCP, which rows without a sync are held against. */
export const FLOOR_NAME = "floor replicated, tcp";

export function formatTable(rows: readonly Measurement[]): string {
  const table = new Table({
    head: ["name", "in flight", "ops/s", "p50", "p99", "of floor", "p50 × floor"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
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

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
