import type { LevelName } from "../../core/model/levels.ts";
import {
  COUNTED_DEADLINES_MS,
  COUNTED_LEVELS,
  LEADERLESS_OPTIONS,
  type LeaderlessSettings,
  parseLeaderlessSettings,
  refuseUnknownOptions,
} from "../leaderless/leaderless-settings.ts";

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
export const TUNABLE_SCAN_LEVELS = COUNTED_LEVELS;

/** In milliseconds; `strong` has two phases of a quorum each. */
export const DEFAULT_DEADLINES_MS: Readonly<Record<TunableLevel, number>> = Object.freeze({
  ...COUNTED_DEADLINES_MS,
  strong: 2 * COUNTED_DEADLINES_MS.quorum,
});

export type TunableSettings = LeaderlessSettings<TunableLevel>;

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseTunableSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
  datacenters?: number,
): TunableSettings {
  refuseUnknownOptions(options, path, LEADERLESS_OPTIONS);
  const bounds = {
    strategy: "tunable",
    offered: TUNABLE_LEVELS,
    counts: false,
    ...{ replicas, datacenters },
  };
  const settings = parseLeaderlessSettings(options, path, bounds, {
    partitionPolicy: "prefer-consistency",
    deadlinesMs: DEFAULT_DEADLINES_MS,
  });
  return Object.freeze(settings);
}
