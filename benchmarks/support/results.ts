import type { Measurement } from "./measurement.ts";
import { perSecond, type Slice, sumOf } from "./slice.ts";
import type { Comparison } from "./turns.ts";

/** The floor in memory over TCP, which rows without a sync are held against. */
export const FLOOR_NAME = "floor replicated, tcp";

interface Row {
  readonly name: string;
  readonly inFlight: number;
  readonly slices: Slice[];
  comparison: Comparison | undefined;
}

/** The rows of a run, in the order in which they were announced. */
export class Results {
  readonly #rows = new Map<string, Row>();

  /** Rows that will be measured in another order than they are shown in. */
  announce(names: readonly string[], inFlight: readonly number[]): void {
    for (const name of names) for (const each of inFlight) this.#row(name, each);
  }

  /** To what was measured of the row before: a floor is measured beside each of its rows. */
  add(name: string, inFlight: number, slices: readonly Slice[], comparison?: Comparison): void {
    const row = this.#row(name, inFlight);
    row.slices.push(...slices);
    row.comparison = comparison;
  }

  measurements(): readonly Measurement[] {
    return [...this.#rows.values()].filter(({ slices }) => slices.length > 0).map(measurementOf);
  }

  #row(name: string, inFlight: number): Row {
    const key = `${name} ${inFlight}`;
    const found = this.#rows.get(key);
    if (found !== undefined) return found;
    const row: Row = { name, inFlight, slices: [], comparison: undefined };
    this.#rows.set(key, row);
    return row;
  }
}

function measurementOf({ name, inFlight, slices, comparison }: Row): Measurement {
  const all = sumOf(slices);
  return {
    name,
    inFlight,
    opsPerSecond: Math.round(perSecond(all)),
    p50Us: round(all.latencies.percentileUs(50)),
    p99Us: round(all.latencies.percentileUs(99)),
    floorRatio: comparison === undefined ? null : round(comparison.ratio),
    p50FloorRatio: comparison === undefined ? null : round(comparison.p50Ratio),
    floorRatioRange:
      comparison === undefined ? null : [round(comparison.low), round(comparison.high)],
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
