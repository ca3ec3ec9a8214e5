import { perSecond, type Slice, sumOf } from "./slice.ts";

/** The processes behind one or more entrants: what they use while it is somebody else's turn shows. */
export interface Party {
  /** Processor time of all of them so far. */
  usedMs(): Promise<number>;
}

/** Whoever takes part in the turns: a floor, or a row. */
export interface Entrant {
  /** Undefined where it runs in this process, which rests otherwise. */
  readonly party: Party | undefined;
  slice(durationMs: number): Promise<Slice>;
}

/** One slice of each. */
export interface Round {
  readonly floor: Slice | undefined;
  /** Processor time that the rows' processes used during the floor's slice, of a millisecond of it. */
  readonly disturbance: number;
  /** In the order in which the rows were given. */
  readonly rows: readonly Slice[];
}

export interface TurnsOptions {
  readonly floor: Entrant | undefined;
  readonly rows: readonly Entrant[];
  readonly rounds: number;
  readonly sliceMs: number;
  readonly pause: (ms: number) => Promise<void>;
}

export interface Comparison {
  /** Throughput as a part of the floor's: sum by sum. */
  readonly ratio: number;
  /** Quartiles of the rounds' ratios. */
  readonly low: number;
  readonly high: number;
  /** The median of the rounds' ratios of their median latencies. */
  readonly p50Ratio: number;
}

/** A floor's slice counts if the rows' processes used no more than this of one processor. */
const UNDISTURBED = 0.1;
/** Where fewer slices of the floor than this are undisturbed, the least disturbed ones make them up. */
const LEAST_COUNTING = 0.5;
/** A party rests when it uses less than this part of one processor. */
const RESTING = 0.2;
/** Of the slices that do not count. */
const FIRST_SLICE_MS = 100;
const LOOK_MS = 10;
/** What goes on for longer, as a commit of the state does, is no remainder of the slice. */
const LOOKS = 10;

/**
 * Floor and rows in turns, each round in the other direction: the machine's speed, which changes
 * within seconds, is the same for both. After a slice nobody begins before its party rests. A first,
 * short round does not count.
 */
export async function takeTurns(options: TurnsOptions): Promise<readonly Round[]> {
  const { floor, rows, rounds, sliceMs, pause } = options;
  const forth = floor === undefined ? rows : [floor, ...rows];
  const back = [...forth].reverse();
  const others = partiesOf(rows).filter((party) => party !== floor?.party);
  const taken: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    const slices = new Map<Entrant, Slice>();
    let disturbance = 0;
    const durationMs = round === 0 ? Math.min(sliceMs, FIRST_SLICE_MS) : sliceMs;
    for (const entrant of round % 2 === 0 ? forth : back) {
      if (entrant === floor) {
        const beforeMs = await usedMs(others);
        slices.set(entrant, await entrant.slice(durationMs));
        disturbance = ((await usedMs(others)) - beforeMs) / durationMs;
      } else {
        slices.set(entrant, await entrant.slice(durationMs));
      }
      await untilAtRest(entrant.party, pause);
    }
    if (round === 0) continue;
    taken.push({
      floor: floor === undefined ? undefined : slices.get(floor),
      disturbance,
      rows: rows.map((row) => slices.get(row) as Slice),
    });
  }
  return taken;
}

/** The floor's slices that count. */
export function floorSlices(rounds: readonly Round[]): readonly Slice[] {
  return countingRounds(rounds).flatMap(({ floor }) => (floor === undefined ? [] : [floor]));
}

/** The row of this number beside the floor; undefined where there is none. */
export function comparisonOf(rounds: readonly Round[], row: number): Comparison | undefined {
  const floors = floorSlices(rounds);
  if (floors.length === 0) return undefined;
  const ratios: number[] = [];
  const p50Ratios: number[] = [];
  for (const round of countingRounds(rounds)) {
    const floor = round.floor as Slice;
    const slice = round.rows[row] as Slice;
    ratios.push(perSecond(slice) / perSecond(floor));
    p50Ratios.push(slice.latencies.percentileUs(50) / floor.latencies.percentileUs(50));
  }
  const all = sumOf(rounds.map(({ rows }) => rows[row] as Slice));
  return {
    ratio: perSecond(all) / perSecond(sumOf(floors)),
    low: quantile(ratios, 0.25),
    high: quantile(ratios, 0.75),
    p50Ratio: quantile(p50Ratios, 0.5),
  };
}

/**
 * What a store does after its slice, it does in the floor's: a commit of its state, a comparison of
 * its replicas. It has its own part of that in its own slices; a floor that paid for the rest would
 * make every row look better than it is.
 */
function countingRounds(rounds: readonly Round[]): readonly Round[] {
  const sorted = [...rounds].sort((a, b) => a.disturbance - b.disturbance);
  const least = Math.ceil(rounds.length * LEAST_COUNTING);
  return sorted.filter(({ disturbance }, at) => at < least || disturbance <= UNDISTURBED);
}

/** Between the two values that it falls between. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

function partiesOf(entrants: readonly Entrant[]): readonly Party[] {
  const parties = entrants.map(({ party }) => party).filter((party) => party !== undefined);
  return [...new Set(parties)];
}

async function usedMs(parties: readonly Party[]): Promise<number> {
  const used = await Promise.all(parties.map((party) => party.usedMs()));
  return used.reduce((sum, each) => sum + each, 0);
}

async function untilAtRest(
  party: Party | undefined,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  if (party === undefined) return;
  let beforeMs = await party.usedMs();
  for (let look = 0; look < LOOKS; look++) {
    await pause(LOOK_MS);
    const nowMs = await party.usedMs();
    if (nowMs - beforeMs < LOOK_MS * RESTING) return;
    beforeMs = nowMs;
  }
}
