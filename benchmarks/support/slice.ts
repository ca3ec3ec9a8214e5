import { Latencies } from "./latencies.ts";

/** What one stretch of load did: a row is measured in many of them. */
export interface Slice {
  /** That ended within the measured time. */
  readonly operations: number;
  readonly elapsedMs: number;
  readonly latencies: Latencies;
}

export function sumOf(slices: readonly Slice[]): Slice {
  const latencies = new Latencies();
  for (const slice of slices) latencies.add(slice.latencies);
  return {
    operations: slices.reduce((sum, slice) => sum + slice.operations, 0),
    elapsedMs: slices.reduce((sum, slice) => sum + slice.elapsedMs, 0),
    latencies,
  };
}

/** 0 for no time. */
export function perSecond({ operations, elapsedMs }: Slice): number {
  return elapsedMs === 0 ? 0 : (operations / elapsedMs) * 1_000;
}
