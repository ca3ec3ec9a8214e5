import { refuseSetting } from "../../core/model/configuration-problems.ts";
import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { type Level, type LevelName, parseLevelName } from "../../core/model/levels.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import { neededFor } from "./receipts.ts";

const LONGEST_DEADLINE_MS = 60_000;
const POLICIES: readonly PartitionPolicy[] = Object.freeze([
  "prefer-consistency",
  "prefer-availability",
]);

/** What a keyspace's levels are checked against. */
export interface LevelBounds {
  readonly strategy: string;
  readonly offered: readonly LevelName[];
  /** Whether a level may be a number of replicas. */
  readonly counts: boolean;
  /** As the keyspace asks for; undefined where that is not known. */
  readonly replicas: number | undefined;
  /** In how many datacenters the nodes are; likewise. */
  readonly datacenters: number | undefined;
}

/**
 * Checks the level of calls that name none; `path` is where it stands.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` naming path, value and what is allowed.
 */
export function parseDefaultLevel(value: unknown, path: string, bounds: LevelBounds): Level {
  if (value === undefined) return "quorum";
  const { strategy, offered, counts, replicas } = bounds;
  if (counts && typeof value === "number") return levelOfCount(value, path, bounds);
  const name = typeof value === "string" ? parseLevelName(value) : undefined;
  const level = offered.find((candidate) => candidate === name);
  if (level === undefined) {
    return refuseSetting(path, value, `not a level of the strategy ${strategy}`, allowedBy(bounds));
  }
  if (canMeet(level, bounds)) return level;
  const problem =
    level === "local-quorum"
      ? `a level that ${replicas} replicas over ${bounds.datacenters} datacenters cannot meet in each`
      : `more than the ${replicas} replicas of the keyspace can meet`;
  return refuseSetting(path, value, problem, allowedBy(bounds));
}

/** @throws CapstanError `INVALID_CONFIGURATION`. */
export function parsePolicy(
  value: unknown,
  path: string,
  fallback: PartitionPolicy,
): PartitionPolicy {
  if (value === undefined) return fallback;
  const word = typeof value === "string" ? value.replaceAll("_", "-") : value;
  const found = POLICIES.find((policy) => policy === word);
  return found ?? refuseSetting(path, value, "not a partition policy", POLICIES);
}

/** @throws CapstanError `INVALID_CONFIGURATION`. */
export function parseDeadlines<L extends LevelName>(
  value: unknown,
  path: string,
  defaults: Readonly<Record<L, number>>,
): Readonly<Record<L, number>> {
  if (value === undefined) return defaults;
  const levels = Object.keys(defaults) as L[];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuseSetting(path, value, "not a map of levels to durations", levels);
  }
  const deadlines: Record<L, number> = { ...defaults };
  for (const [word, duration] of Object.entries(value)) {
    const parsed = parseLevelName(word);
    const level = levels.find((candidate) => candidate === parsed);
    if (level === undefined) {
      return refuseSetting(`${path}.${word}`, duration, "not a level", levels);
    }
    deadlines[level] = parseDurationMs(duration, `${path}.${word}`, {
      min: 1,
      max: LONGEST_DEADLINE_MS,
    });
  }
  return Object.freeze(deadlines);
}

const COUNT_NAMES = Object.freeze(["one", "two", "three"] as const);

/** How long a call at the level may take. A number above three may wait for as many as `all`. */
export function deadlineOfLevel(
  level: Level,
  deadlinesMs: Readonly<Partial<Record<LevelName, number>>>,
): number {
  const named = deadlinesMs[level as LevelName];
  if (named !== undefined) return named;
  return deadlinesMs[COUNT_NAMES[Number(level) - 1] ?? "all"] as number;
}

/** Dynamo's R and W as numbers; by its name where it has one. */
function levelOfCount(count: number, path: string, bounds: LevelBounds): Level {
  const { replicas } = bounds;
  const isWhole = Number.isInteger(count) && count >= 1;
  if (!isWhole || (replicas !== undefined && count > replicas)) {
    return refuseSetting(path, count, "not a number of replicas to wait for", allowedBy(bounds));
  }
  const name = COUNT_NAMES[count - 1];
  if (name !== undefined) return name;
  if (replicas !== undefined && count === majorityOf(replicas)) return "quorum";
  if (replicas !== undefined && count === replicas) return "all";
  return `${count}`;
}

function allowedBy(bounds: LevelBounds): readonly (string | number)[] {
  const { offered, counts, replicas } = bounds;
  const names = offered.filter((level) => canMeet(level, bounds));
  if (!counts) return names;
  if (replicas === undefined) return [...names, "a number of replicas"];
  return [...names, ...Array.from({ length: replicas }, (_, index) => index + 1)];
}

/**
 * Datacenters take turns where replicas are placed: with at least as many replicas as there are
 * datacenters each of them holds one, whatever the key.
 */
function canMeet(level: LevelName, { replicas, datacenters = 1 }: LevelBounds): boolean {
  if (replicas === undefined) return true;
  if (level === "each-quorum") return true;
  if (level === "local-quorum") return replicas >= datacenters;
  return neededFor(level, replicas) !== undefined;
}
