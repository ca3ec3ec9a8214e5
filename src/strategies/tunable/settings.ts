import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import type { Level, LevelName } from "../../core/model/levels.ts";
import {
  type LevelBounds,
  parseDeadlines,
  parseDefaultLevel,
  parsePolicy,
  refuseSetting,
} from "../leaderless/level-settings.ts";
import { type DigestSetting, parseDigestAbove } from "../leaderless/reads/digests.ts";
import { type HedgeSetting, parseHedge } from "../leaderless/reads/hedges.ts";
import { parseRepairSettings, type RepairSettings } from "../leaderless/repair-settings.ts";

/** The levels of a tunable keyspace; `eventual` is another word for `one`. */
export const TUNABLE_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "local-quorum",
  "each-quorum",
  "strong",
  "eventual",
] as const satisfies readonly LevelName[]);

export type TunableLevel = (typeof TUNABLE_LEVELS)[number];

/** A scan reads many keys at once; making all of them atomic is not offered. */
export const TUNABLE_SCAN_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "local-quorum",
  "each-quorum",
  "eventual",
] as const satisfies readonly LevelName[]);

/** In milliseconds; `strong` has two phases of a quorum each. */
export const DEFAULT_DEADLINES_MS: Readonly<Record<TunableLevel, number>> = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  "local-quorum": 200,
  "each-quorum": 1_000,
  strong: 400,
});

export interface TunableSettings {
  readonly read: Level;
  readonly write: Level;
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<TunableLevel, number>>;
  /** See `LeaderlessReplica`: the longest write deadline. */
  readonly rebuildDelayMs: number;
  readonly repair: RepairSettings;
  readonly hedge: HedgeSetting;
  readonly digestAbove: DigestSetting;
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseTunableSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
  datacenters?: number,
): TunableSettings {
  const known = ["read", "write", "partitionPolicy", "deadlines", "repair", "hedge", "digestAbove"];
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      refuseSetting(`${path}.${name}`, options[name], "no such option", known);
  }
  const bounds: LevelBounds = {
    strategy: "tunable",
    offered: TUNABLE_LEVELS,
    counts: false,
    ...{ replicas, datacenters },
  };
  const deadlinesMs = parseDeadlines(options.deadlines, `${path}.deadlines`, DEFAULT_DEADLINES_MS);
  const settings: TunableSettings = {
    read: parseDefaultLevel(options.read, `${path}.read`, bounds),
    write: parseDefaultLevel(options.write, `${path}.write`, bounds),
    partitionPolicy: parsePolicy(
      options.partitionPolicy,
      `${path}.partitionPolicy`,
      "prefer-consistency",
    ),
    deadlinesMs,
    rebuildDelayMs: Math.max(...Object.values(deadlinesMs)),
    repair: parseRepairSettings(options.repair, `${path}.repair`),
    hedge: parseHedge(options.hedge, `${path}.hedge`),
    digestAbove: parseDigestAbove(options.digestAbove, `${path}.digestAbove`),
  };
  return Object.freeze(settings);
}
