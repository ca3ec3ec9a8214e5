import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { type Level, parseLevel } from "../../core/model/levels.ts";
import { neededFor } from "../leaderless/receipts.ts";
import { parseRepairSettings, type RepairSettings } from "../leaderless/repair-settings.ts";

/** The levels of a tunable keyspace; `eventual` is another word for `one`. */
export const TUNABLE_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "strong",
  "eventual",
] as const satisfies readonly Level[]);

export type TunableLevel = (typeof TUNABLE_LEVELS)[number];

/** A scan reads many keys at once; making all of them atomic is not offered. */
export const TUNABLE_SCAN_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "eventual",
] as const satisfies readonly Level[]);

/** In milliseconds; `strong` has two phases of a quorum each. */
export const DEFAULT_DEADLINES_MS: Readonly<Record<TunableLevel, number>> = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  strong: 400,
});

const LONGEST_DEADLINE_MS = 60_000;
const POLICIES: readonly PartitionPolicy[] = Object.freeze([
  "prefer-consistency",
  "prefer-availability",
]);

export interface TunableSettings {
  readonly read: TunableLevel;
  readonly write: TunableLevel;
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<TunableLevel, number>>;
  /** See `LeaderlessReplica`: the longest write deadline. */
  readonly rebuildDelayMs: number;
  readonly repair: RepairSettings;
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseTunableSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
): TunableSettings {
  const known = ["read", "write", "partitionPolicy", "deadlines", "repair"];
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(`${path}.${name}`, options[name], "no such option", known);
  }
  const deadlinesMs = parseDeadlines(options.deadlines, `${path}.deadlines`);
  const settings: TunableSettings = {
    read: parseTunableLevel(options.read, "quorum", `${path}.read`, replicas),
    write: parseTunableLevel(options.write, "quorum", `${path}.write`, replicas),
    partitionPolicy: parsePolicy(options.partitionPolicy, `${path}.partitionPolicy`),
    deadlinesMs,
    rebuildDelayMs: Math.max(...Object.values(deadlinesMs)),
    repair: parseRepairSettings(options.repair, `${path}.repair`),
  };
  return Object.freeze(settings);
}

function parseTunableLevel(
  value: unknown,
  fallback: TunableLevel,
  path: string,
  replicas: number | undefined,
): TunableLevel {
  if (value === undefined) return fallback;
  const level = typeof value === "string" ? parseLevel(value) : undefined;
  const found = TUNABLE_LEVELS.find((candidate) => candidate === level);
  if (found === undefined) {
    return refuse(path, value, "not a level of the strategy tunable", TUNABLE_LEVELS);
  }
  if (replicas === undefined || neededFor(found, replicas) !== undefined) return found;
  const met = TUNABLE_LEVELS.filter((word) => neededFor(word, replicas) !== undefined);
  return refuse(path, value, `more than the ${replicas} replicas of the keyspace can meet`, met);
}

function parsePolicy(value: unknown, path: string): PartitionPolicy {
  if (value === undefined) return "prefer-consistency";
  const word = typeof value === "string" ? value.replaceAll("_", "-") : value;
  const found = POLICIES.find((policy) => policy === word);
  return found ?? refuse(path, value, "not a partition policy", POLICIES);
}

function parseDeadlines(value: unknown, path: string): Readonly<Record<TunableLevel, number>> {
  if (value === undefined) return DEFAULT_DEADLINES_MS;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(path, value, "not a map of levels to durations", TUNABLE_LEVELS);
  }
  const deadlines = { ...DEFAULT_DEADLINES_MS };
  for (const [word, duration] of Object.entries(value)) {
    const parsed = parseLevel(word);
    const level = TUNABLE_LEVELS.find((candidate) => candidate === parsed);
    if (level === undefined) {
      return refuse(`${path}.${word}`, duration, "not a level", TUNABLE_LEVELS);
    }
    deadlines[level] = parseDurationMs(duration, `${path}.${word}`, {
      min: 1,
      max: LONGEST_DEADLINE_MS,
    });
  }
  return Object.freeze(deadlines);
}

function refuse(
  path: string,
  value: unknown,
  problem: string,
  allowed: readonly (string | number)[],
): never {
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `${path}: ${JSON.stringify(value)} is ${problem}; allowed: ${allowed.join(", ")}`,
    { allowed, details: { problems: [{ path, value, allowed }] } },
  );
}
