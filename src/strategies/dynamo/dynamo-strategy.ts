import type { SilentStrategy, StrategyCapabilities } from "../../core/contracts/strategy.ts";
import { LEADERLESS_NODE_OPTIONS } from "../leaderless/leaderless-settings.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import { DynamoCoordinator } from "./coordinator.ts";
import { DYNAMO_GUARANTEES } from "./guarantees.ts";
import { type DynamoMessage, dynamoCodec } from "./messages.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { DynamoReplica } from "./replica.ts";
import { DYNAMO_LEVELS, type DynamoSettings, parseDynamoSettings } from "./settings.ts";

const CAPABILITIES: StrategyCapabilities = Object.freeze({
  readLevels: DYNAMO_LEVELS,
  writeLevels: DYNAMO_LEVELS,
  scanLevels: DYNAMO_LEVELS,
  conditional: false,
  update: true,
  batch: "per-key",
  countLevels: true,
  ttl: true,
  watch: true,
  sessions: true,
  siblings: true,
  partitionPolicy: true,
  operationIds: true,
  contexts: true,
  replicaChanges: true,
  shardRecovery: true,
});

/** Always writable, concurrent versions kept or resolved. With a planted bug only in tests. */
export function makeDynamoStrategy(
  planted: PlantedDynamoBugs = NO_PLANTED_DYNAMO_BUGS,
): SilentStrategy<DynamoMessage> {
  return Object.freeze({
    kind: "silent",
    name: "dynamo",
    capabilities: CAPABILITIES,
    nodeOptions: LEADERLESS_NODE_OPTIONS,
    hostsEverywhere: true,
    hasStandIns: true,
    codec: dynamoCodec,
    parseSettings: (options, path, ...of) =>
      parseDynamoSettings(options, path, ...of) as unknown as Readonly<Record<string, unknown>>,
    guarantees: () => DYNAMO_GUARANTEES,
    deadlineMs: ({ level }, settings) => {
      const { deadlinesMs } = settings as unknown as DynamoSettings;
      return deadlineOfLevel(level, deadlinesMs);
    },
    createReplica: (context) => new DynamoReplica(context, planted),
    createCoordinator: (context) => new DynamoCoordinator(context, planted),
  } satisfies SilentStrategy<DynamoMessage>);
}

/** The strategy that configuration names `dynamo`. */
export const dynamoStrategy: SilentStrategy<DynamoMessage> = makeDynamoStrategy();
