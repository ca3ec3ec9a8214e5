import type { Resolver } from "../../core/contracts/resolver.ts";
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

/** The levels of a dynamo keyspace; `eventual` is another word for `one`. */
export const DYNAMO_LEVELS = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "local-quorum",
  "each-quorum",
  "eventual",
] as const satisfies readonly LevelName[]);

export type DynamoLevel = (typeof DYNAMO_LEVELS)[number];

/** In milliseconds. */
export const DEFAULT_DEADLINES_MS: Readonly<Record<DynamoLevel, number>> = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  "local-quorum": 200,
  "each-quorum": 1_000,
});

const OPTIONS: readonly string[] = Object.freeze([
  "read",
  "write",
  "partitionPolicy",
  "deadlines",
  "repair",
  "hedge",
  "digestAbove",
  "resolver",
]);

export interface DynamoSettings {
  readonly read: Level;
  readonly write: Level;
  /** `prefer-consistency` is without stand-ins, and below its level a call fails. */
  readonly partitionPolicy: PartitionPolicy;
  readonly deadlinesMs: Readonly<Record<DynamoLevel, number>>;
  /** See `LeaderlessReplica`: the longest write deadline. */
  readonly rebuildDelayMs: number;
  readonly repair: RepairSettings;
  readonly hedge: HedgeSetting;
  readonly digestAbove: DigestSetting;
  readonly resolver: Resolver | undefined;
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseDynamoSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
  datacenters?: number,
): DynamoSettings {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      const shown = OPTIONS.filter((option) => option !== "resolver");
      refuseSetting(`${path}.${name}`, options[name], "no such option", shown);
    }
  }
  const bounds: LevelBounds = {
    strategy: "dynamo",
    offered: DYNAMO_LEVELS,
    counts: true,
    ...{ replicas, datacenters },
  };
  const deadlinesMs = parseDeadlines(options.deadlines, `${path}.deadlines`, DEFAULT_DEADLINES_MS);
  return Object.freeze({
    read: parseDefaultLevel(options.read, `${path}.read`, bounds),
    write: parseDefaultLevel(options.write, `${path}.write`, bounds),
    partitionPolicy: parsePolicy(
      options.partitionPolicy,
      `${path}.partitionPolicy`,
      "prefer-availability",
    ),
    deadlinesMs,
    rebuildDelayMs: Math.max(...Object.values(deadlinesMs)),
    repair: parseRepairSettings(options.repair, `${path}.repair`),
    hedge: parseHedge(options.hedge, `${path}.hedge`),
    digestAbove: parseDigestAbove(options.digestAbove, `${path}.digestAbove`),
    resolver: options.resolver as Resolver | undefined,
  });
}
