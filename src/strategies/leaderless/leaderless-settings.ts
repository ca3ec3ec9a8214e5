import { refuseSetting } from "../../core/model/configuration-problems.ts";
import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import type { Level, LevelName } from "../../core/model/levels.ts";
import {
  type LevelBounds,
  parseDeadlines,
  parseDefaultLevel,
  parsePolicy,
} from "./level-settings.ts";
import { type DigestSetting, parseDigestAbove } from "./reads/digests.ts";
import { type HedgeSetting, parseHedge } from "./reads/hedges.ts";
import { parseRepairSettings, type RepairSettings } from "./repair-settings.ts";

/**
 * Options of leaderless keyspaces that each node may have its own of. Not the deadlines: how long a
 * replica waits for writes of other coordinators follows from them; nor how old a tombstone becomes,
 * which all replicas have to agree on.
 */
export const LEADERLESS_NODE_OPTIONS = Object.freeze([
  "hedge",
  "digestAbove",
  "repair.interval",
  "repair.bytesPerSecond",
  "repair.maxHints",
  "repair.maxHintBytes",
  "repair.hintMaxAge",
]);

/** Options that every leaderless keyspace has. */
export const LEADERLESS_OPTIONS: readonly string[] = Object.freeze([
  "read",
  "write",
  "partitionPolicy",
  "deadlines",
  "repair",
  "hedge",
  "digestAbove",
]);

/** The levels that are met by counting replicas; `eventual` is another word for `one`. */
export const COUNTED_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "local-quorum",
  "each-quorum",
  "eventual",
] as const satisfies readonly LevelName[]);

export type CountedLevel = (typeof COUNTED_LEVELS)[number];

/** In milliseconds. */
export const COUNTED_DEADLINES_MS: Readonly<Record<CountedLevel, number>> = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  "local-quorum": 200,
  "each-quorum": 1_000,
});

/** What a keyspace of any leaderless strategy is set to. */
export interface LeaderlessSettings<L extends LevelName> {
  readonly read: Level;
  readonly write: Level;
  /** `prefer-consistency`: below its level a call fails; in dynamo it is without stand-ins, too. */
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<L, number>>;
  /** See `LeaderlessReplica`: the longest write deadline. */
  readonly rebuildDelayMs: number;
  readonly repair: RepairSettings;
  readonly hedge: HedgeSetting;
  readonly digestAbove: DigestSetting;
}

/** What the strategies differ in. */
export interface LeaderlessDefaults<L extends LevelName> {
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<L, number>>;
}

/** @throws CapstanError `INVALID_CONFIGURATION` naming an option that is not among those `allowed`. */
export function refuseUnknownOptions(
  options: Readonly<Record<string, unknown>>,
  path: string,
  allowed: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name))
      refuseSetting(`${path}.${name}`, options[name], "no such option", allowed);
  }
}

/**
 * Checks what every leaderless keyspace may say; `path` is where it stands in the configuration.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` naming path, value and what is allowed.
 */
export function parseLeaderlessSettings<L extends LevelName>(
  options: Readonly<Record<string, unknown>>,
  path: string,
  bounds: LevelBounds,
  defaults: LeaderlessDefaults<L>,
): LeaderlessSettings<L> {
  const { deadlines, partitionPolicy } = options;
  const deadlinesMs = parseDeadlines(deadlines, `${path}.deadlines`, defaults.deadlinesMs);
  return {
    read: parseDefaultLevel(options.read, `${path}.read`, bounds),
    write: parseDefaultLevel(options.write, `${path}.write`, bounds),
    partitionPolicy: parsePolicy(
      partitionPolicy,
      `${path}.partitionPolicy`,
      defaults.partitionPolicy,
    ),
    deadlinesMs,
    rebuildDelayMs: Math.max(...Object.values<number>(deadlinesMs)),
    repair: parseRepairSettings(options.repair, `${path}.repair`),
    hedge: parseHedge(options.hedge, `${path}.hedge`),
    digestAbove: parseDigestAbove(options.digestAbove, `${path}.digestAbove`),
  };
}
