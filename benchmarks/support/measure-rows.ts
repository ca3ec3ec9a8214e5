import { setTimeout as pause } from "node:timers/promises";
import { parseDiskOptions } from "../../src/storage/disk/disk-options.ts";
import type { Results } from "./results.ts";
import { comparisonOf, type Entrant, floorSlices, takeTurns } from "./turns.ts";

/** Short beside the seconds in which the machine's speed changes, long beside what a slice begins with. */
const SLICE_MS = 250;
/** How often a durable node writes its state to its file: a row that is shorter has it or has it not. */
const { commitIntervalMs: COMMIT_INTERVAL_MS } = parseDiskOptions({});
/** Between two slices, about: whoever ran last comes to rest. */
const REST_MS = 20;
const LEAST_ROUNDS = 2;

export interface GroupOptions {
  /** Measured time of each row; where it is durable and this is shorter, see {@link spanOf}. */
  readonly seconds: number;
  readonly results: Results;
}

export type Group = (options: GroupOptions) => Promise<void>;

export interface NamedEntrant {
  readonly name: string;
  readonly entrant: Entrant;
}

export interface RowsOptions extends GroupOptions {
  readonly inFlight: number;
  readonly floor?: NamedEntrant;
  readonly rows: readonly NamedEntrant[];
  /** The rows write to their disks in the background, too. */
  readonly isDurable?: boolean;
}

/** Rows with as many in flight, in turns with one another and with their floor. */
export async function measureRows(options: RowsOptions): Promise<void> {
  const { results, inFlight, floor, rows, seconds, isDurable = false } = options;
  const entrants = rows.map(({ entrant }) => entrant);
  const turns = entrants.length + (floor === undefined ? 0 : 1);
  const plan = planOf(seconds, turns, isDurable);
  const rounds = await takeTurns({ floor: floor?.entrant, rows: entrants, ...plan, pause });
  if (floor !== undefined) results.add(floor.name, inFlight, floorSlices(rounds));
  for (const [at, { name }] of rows.entries()) {
    const slices = rounds.map((round) => round.rows[at] as (typeof round.rows)[number]);
    results.add(name, inFlight, slices, comparisonOf(rounds, at));
  }
}

/**
 * As many slices of each as make up the seconds. Durable ones go on for as long as all of them
 * together, floor included, take from one write of the state to the next: a row has as much of
 * that as is its part of the time.
 */
export function planOf(
  seconds: number,
  turns: number,
  isDurable: boolean,
): { readonly rounds: number; readonly sliceMs: number } {
  const working = SLICE_MS / (SLICE_MS + REST_MS);
  const leastMs = isDurable ? (COMMIT_INTERVAL_MS * working) / turns : 0;
  const durationMs = Math.max(seconds * 1_000, leastMs);
  const rounds = Math.max(LEAST_ROUNDS, Math.round(durationMs / SLICE_MS));
  return { rounds, sliceMs: Math.min(SLICE_MS, durationMs / rounds) };
}
