import type { Resolver } from "../../core/contracts/resolver.ts";
import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { type Level, parseLevel } from "../../core/model/levels.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import { neededFor } from "../leaderless/receipts.ts";
import { parseRepairSettings, type RepairSettings } from "../leaderless/repair-settings.ts";

/** The levels of a dynamo keyspace; `eventual` is another word for `one`. */
export const DYNAMO_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "eventual",
] as const satisfies readonly Level[]);

export type DynamoLevel = (typeof DYNAMO_LEVELS)[number];

/** In milliseconds. */
export const DEFAULT_DEADLINES_MS: Readonly<Record<DynamoLevel, number>> = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
});

const LONGEST_DEADLINE_MS = 60_000;
const OPTIONS: readonly string[] = Object.freeze([
  "read",
  "write",
  "partitionPolicy",
  "deadlines",
  "repair",
  "resolver",
]);
const POLICIES: readonly PartitionPolicy[] = Object.freeze([
  "prefer-availability",
  "prefer-consistency",
]);

export interface DynamoSettings {
  readonly read: DynamoLevel;
  readonly write: DynamoLevel;
  /** `prefer-consistency` is without stand-ins, and below its level a call fails. */
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<DynamoLevel, number>>;
  /** See `LeaderlessReplica`: the longest write deadline. */
  readonly rebuildDelayMs: number;
  readonly repair: RepairSettings;
  readonly resolver: Resolver | undefined;
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseDynamoSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
): DynamoSettings {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      const shown = OPTIONS.filter((option) => option !== "resolver");
      refuse(`${path}.${name}`, options[name], "no such option", shown);
    }
  }
  const deadlinesMs = parseDeadlines(options.deadlines, `${path}.deadlines`);
  return Object.freeze({
    read: parseDynamoLevel(options.read, `${path}.read`, replicas),
    write: parseDynamoLevel(options.write, `${path}.write`, replicas),
    partitionPolicy: parsePolicy(options.partitionPolicy, `${path}.partitionPolicy`),
    deadlinesMs,
    rebuildDelayMs: Math.max(...Object.values(deadlinesMs)),
    repair: parseRepairSettings(options.repair, `${path}.repair`),
    resolver: options.resolver as Resolver | undefined,
  });
}

function parseDynamoLevel(value: unknown, path: string, replicas: number | undefined): DynamoLevel {
  if (value === undefined) return "quorum";
  if (typeof value === "number") return levelOfCount(value, path, replicas);
  const level = typeof value === "string" ? parseLevel(value) : undefined;
  const found = DYNAMO_LEVELS.find((candidate) => candidate === level);
  if (found === undefined) {
    return refuse(path, value, "not a level of the strategy dynamo", allowedOf(replicas));
  }
  if (replicas === undefined || neededFor(found, replicas) !== undefined) return found;
  return refuse(path, value, `more than the ${replicas} replicas can meet`, allowedOf(replicas));
}

/** Dynamo's R and W as numbers, as far as a word names them too. */
function levelOfCount(count: number, path: string, replicas: number | undefined): DynamoLevel {
  const words: readonly DynamoLevel[] = ["one", "two", "three"];
  const word = words[count - 1];
  if (word !== undefined && (replicas === undefined || count <= replicas)) return word;
  if (replicas !== undefined && count === majorityOf(replicas)) return "quorum";
  if (replicas !== undefined && count === replicas) return "all";
  return refuse(path, count, "not a number of replicas to wait for", allowedOf(replicas));
}

function allowedOf(replicas: number | undefined): readonly (string | number)[] {
  if (replicas === undefined) return [...DYNAMO_LEVELS, 1, 2, 3];
  const counts = [1, 2, 3, majorityOf(replicas), replicas].filter((count) => count <= replicas);
  const words = DYNAMO_LEVELS.filter((word) => neededFor(word, replicas) !== undefined);
  return [...words, ...new Set(counts.sort((a, b) => a - b))];
}

function parsePolicy(value: unknown, path: string): PartitionPolicy {
  if (value === undefined) return "prefer-availability";
  const word = typeof value === "string" ? value.replaceAll("_", "-") : value;
  const found = POLICIES.find((policy) => policy === word);
  return found ?? refuse(path, value, "not a partition policy", POLICIES);
}

function parseDeadlines(value: unknown, path: string): Readonly<Record<DynamoLevel, number>> {
  if (value === undefined) return DEFAULT_DEADLINES_MS;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(path, value, "not a map of levels to durations", DYNAMO_LEVELS);
  }
  const deadlines = { ...DEFAULT_DEADLINES_MS };
  for (const [word, duration] of Object.entries(value)) {
    const parsed = parseLevel(word);
    const level = DYNAMO_LEVELS.find((candidate) => candidate === parsed);
    if (level === undefined) {
      return refuse(`${path}.${word}`, duration, "not a level", DYNAMO_LEVELS);
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
