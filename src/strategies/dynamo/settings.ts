import type { Resolver } from "../../core/contracts/resolver.ts";
import {
  COUNTED_DEADLINES_MS,
  COUNTED_LEVELS,
  LEADERLESS_OPTIONS,
  type LeaderlessSettings,
  parseLeaderlessSettings,
  refuseUnknownOptions,
} from "../leaderless/leaderless-settings.ts";

/** The levels of a dynamo keyspace. */
export const DYNAMO_LEVELS = COUNTED_LEVELS;

export type DynamoLevel = (typeof DYNAMO_LEVELS)[number];

/** In milliseconds. */
export const DEFAULT_DEADLINES_MS = COUNTED_DEADLINES_MS;

export interface DynamoSettings extends LeaderlessSettings<DynamoLevel> {
  readonly resolver: Resolver | undefined;
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseDynamoSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
  replicas?: number,
  datacenters?: number,
): DynamoSettings {
  const { resolver, ...own } = options;
  refuseUnknownOptions(own, path, LEADERLESS_OPTIONS);
  const bounds = {
    strategy: "dynamo",
    offered: DYNAMO_LEVELS,
    counts: true,
    ...{ replicas, datacenters },
  };
  const common = parseLeaderlessSettings(own, path, bounds, {
    partitionPolicy: "prefer-availability",
    deadlinesMs: DEFAULT_DEADLINES_MS,
  });
  return Object.freeze({ ...common, resolver: resolver as Resolver | undefined });
}
