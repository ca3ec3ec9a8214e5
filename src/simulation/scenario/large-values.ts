import { SeededRandom } from "../seeded-random.ts";
import { Draw } from "./draw.ts";
import { MANY_SHARDS } from "./many-shards.ts";
import type { ScenarioPlan } from "./plan.ts";
import type { KeyspacePlan, KeyspaceScene, Violation } from "./strategy-scenario.ts";

/** In this share of the seeds one key of each group has values of many sizes, up to the greatest. */
const SEEDS = 0.05;
const GREATEST: readonly [number, number] = Object.freeze([32 * 1024, 256 * 1024] as const);
const LEAST = 4 * 1024;
/** Of the writes of such a key. */
const SHARE = 0.5;
/** Of these, so many are as long as the keyspace takes at all. */
const GREATEST_SHARE = 0.15;
/** What a value takes beside its text, at most. */
const BESIDE_TEXT = 16;
/** What all of a keyspace's writes of a seed come to, which bounds how long it takes. */
const BUDGET = 3 * 1024 * 1024;
/** Several versions that stand side by side are one record, of which the log takes no more. */
const OF_VERSIONS = 48 * 1024;

const SEGMENT_BYTES = 1024 * 1024;
const PENDING_BYTES = 2 * 1024 * 1024;
/** With less what a replica has lost is not there again before liveness is demanded. */
const BYTES_PER_MS = 200;
/** Where a majority has to have each value before the next is answered. */
const LONGEST_ENTRY_MS = 400;
/** Of a raft keyspace: pieces of snapshots are no greater than that. */
const RETAINED_LOG = "64KiB";

/** Replicas that are reached have compared what they hold by then. */
const EQUAL_MS = 120_000;

/** The rare state that they reach. */
export const LARGE_VALUE_READ = "a large value was read";

/** Between the name of a write, the length of all that is written, and what makes it as long. */
const MARK = "#";
const FILLING = "-";

/** Machines that take large values, and keyspaces whose clients write some, in a share of the seeds. */
export function withLargeValues(plan: ScenarioPlan): ScenarioPlan {
  const draw = new Draw(new SeededRandom(plan.seed, "plan/large-values"));
  if (!draw.chance(SEEDS)) return plan;
  const greatest = Math.round(draw.magnitude(...GREATEST));
  const { keyspaces, log, network } = plan;
  if (keyspaces.some(({ configuration }) => Number(configuration.shards ?? 0) >= MANY_SHARDS)) {
    return plan;
  }
  const isInOrder = keyspaces.some(({ strategy }) => strategy === "raft");
  const needed = isInOrder ? greatest / LONGEST_ENTRY_MS : 0;
  return {
    ...plan,
    keyspaces: keyspaces.map((each) => withGreatest(each, greatest)),
    log: { ...log, segmentBytes: SEGMENT_BYTES },
    maxPendingBytes: Math.max(plan.maxPendingBytes, PENDING_BYTES),
    network: { ...network, bytesPerMs: Math.max(network.bytesPerMs, BYTES_PER_MS, needed) },
  };
}

function withGreatest(plan: KeyspacePlan, drawn: number): KeyspacePlan {
  const { strategy, configuration } = plan;
  const greatestValue = strategy === "dynamo" ? Math.min(drawn, OF_VERSIONS) : drawn;
  const retained = strategy === "raft" && { retainedLog: RETAINED_LOG };
  const maxValue = `${greatestValue}B`;
  return { ...plan, greatestValue, configuration: { ...configuration, maxValue, ...retained } };
}

/**
 * Where some values are large, comparing replicas has to find what differs by itself: before anybody
 * reads it, which would mend it. Runs the world.
 *
 * @param apart keys of which replicas hold different versions.
 */
export async function demandEqual(
  { world, plan }: KeyspaceScene,
  apart: () => readonly string[],
): Promise<readonly Violation[]> {
  // Of what is deleted one replica may have the tombstone for longer than another.
  if (plan.greatestValue === undefined || plan.configuration.repair !== undefined) return [];
  if (await world.driver.runWhile(() => apart().length > 0, EQUAL_MS)) return [];
  const message = `replicas were not found to differ in ${apart().join(", ")}`;
  return [{ check: "left-apart", message }];
}

/**
 * Makes what some writes write long. What is judged is the name of a write alone, which stands at the
 * beginning of its value.
 */
export class LargeValues {
  readonly #draw: Draw;
  readonly #greatest: number;
  #left = BUDGET;

  /** @param stream where a keyspace has several that draw them. */
  constructor({ world, plan }: KeyspaceScene, stream = "large-values") {
    this.#draw = new Draw(world.random(`${plan.name}/${stream}`));
    this.#greatest = plan.greatestValue ?? 0;
  }

  get isOn(): boolean {
    return this.#greatest > 0;
  }

  /** Whether values of the key may be large: of each group of keys those of the first one are. */
  has(key: string): boolean {
    return this.isOn && /\D[01]$/.test(key);
  }

  /** What is to be written to the key. */
  valueFor(key: string, name: string): string {
    if (!this.has(key) || this.#left <= 0 || !this.#draw.chance(SHARE)) return name;
    const isGreatest = this.#draw.chance(GREATEST_SHARE);
    const drawn = isGreatest ? this.#greatest : this.#draw.magnitude(LEAST, this.#greatest);
    const bytes = Math.round(drawn) - BESIDE_TEXT;
    this.#left -= bytes;
    return `${name}${MARK}${bytes}${MARK}`.padEnd(bytes, FILLING);
  }
}

/** Whether the value is one of those that were made long. */
export function isLarge(value: string): boolean {
  return value.includes(MARK);
}

/** The name of the write that wrote this. What is not all there, or was changed, is no write's. */
export function nameIn(value: string): string {
  const at = value.indexOf(MARK);
  if (at < 0) return value;
  const name = value.slice(0, at);
  const end = value.indexOf(MARK, at + 1);
  const bytes = Number(value.slice(at + 1, end));
  const whole = `${name}${MARK}${bytes}${MARK}`.padEnd(bytes, FILLING);
  return value === whole ? name : `${name}, of ${bytes} bytes, as ${value.length} others`;
}
