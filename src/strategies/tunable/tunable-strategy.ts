import type { SilentStrategy, StrategyCapabilities } from "../../core/contracts/strategy.ts";
import { LEADERLESS_NODE_OPTIONS } from "../leaderless/leaderless-settings.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import { type LeaderlessMessage, leaderlessCodec } from "../leaderless/messages.ts";
import { LeaderlessReplica } from "../leaderless/replica.ts";
import { TunableCoordinator } from "./coordinator.ts";
import { TUNABLE_GUARANTEES } from "./guarantees.ts";
import { NO_PLANTED_BUGS, type PlantedBugs } from "./planted-bugs.ts";
import {
  parseTunableSettings,
  TUNABLE_LEVELS,
  TUNABLE_SCAN_LEVELS,
  type TunableSettings,
} from "./settings.ts";

const CAPABILITIES: StrategyCapabilities = Object.freeze({
  readLevels: TUNABLE_LEVELS,
  writeLevels: TUNABLE_LEVELS,
  scanLevels: TUNABLE_SCAN_LEVELS,
  conditional: false,
  update: false,
  batch: "per-key",
  ttl: true,
  watch: true,
  sessions: true,
  siblings: false,
  partitionPolicy: true,
  operationIds: true,
  contexts: true,
  replicaChanges: true,
  shardRecovery: true,
});

/** Level per request, last writer wins. With a planted bug only in tests. */
export function makeTunableStrategy(
  planted: PlantedBugs = NO_PLANTED_BUGS,
): SilentStrategy<LeaderlessMessage> {
  return Object.freeze({
    kind: "silent",
    name: "tunable",
    capabilities: CAPABILITIES,
    nodeOptions: LEADERLESS_NODE_OPTIONS,
    hostsEverywhere: true,
    codec: leaderlessCodec,
    parseSettings: (options, path, ...of) =>
      parseTunableSettings(options, path, ...of) as unknown as Readonly<Record<string, unknown>>,
    guarantees: () => TUNABLE_GUARANTEES,
    deadlineMs: ({ level }, settings) => {
      const { deadlinesMs } = settings as unknown as TunableSettings;
      return deadlineOfLevel(level, deadlinesMs);
    },
    createReplica: (context) => new LeaderlessReplica(context, planted),
    createCoordinator: (context) => new TunableCoordinator(context, planted),
  } satisfies SilentStrategy<LeaderlessMessage>);
}

/** The strategy that configuration names `tunable`. */
export const tunableStrategy: SilentStrategy<LeaderlessMessage> = makeTunableStrategy();
