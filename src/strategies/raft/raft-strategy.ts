import type { SilentStrategy, StrategyCapabilities } from "../../core/contracts/strategy.ts";
import type { RaftMessage } from "./client-messages.ts";
import { raftCodec } from "./codec.ts";
import { Consensus } from "./consensus.ts";
import { RaftCoordinator } from "./coordinator.ts";
import { RAFT_GUARANTEES } from "./guarantees.ts";
import { Pairs } from "./pairs.ts";
import {
  NO_PLANTED_CONSENSUS_BUGS,
  NO_PLANTED_REPLICA_BUGS,
  type PlantedConsensusBugs,
  type PlantedPairBugs,
  type PlantedReplicaBugs,
} from "./planted-bugs.ts";
import { RaftReplica } from "./replica.ts";
import {
  parseRaftSettings,
  RAFT_LEVELS,
  RAFT_SCAN_LEVELS,
  type RaftLevel,
  type RaftSettings,
} from "./settings.ts";

const CAPABILITIES: StrategyCapabilities = Object.freeze({
  readLevels: RAFT_LEVELS,
  writeLevels: RAFT_LEVELS,
  scanLevels: RAFT_SCAN_LEVELS,
  conditional: true,
  update: false,
  batch: true,
  ttl: true,
  watch: true,
  sessions: true,
  siblings: false,
  partitionPolicy: false,
  operationIds: true,
  ownKeys: true,
  contexts: false,
  replicaChanges: true,
  shardRecovery: true,
});

/** Linearizable, by a majority. With a planted bug only in tests. */
export function makeRaftStrategy(
  planted: PlantedConsensusBugs = NO_PLANTED_CONSENSUS_BUGS,
  plantedInReplica: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  plantedPairBugs?: PlantedPairBugs,
): SilentStrategy<RaftMessage> {
  return Object.freeze({
    kind: "silent",
    name: "raft",
    capabilities: CAPABILITIES,
    // Not the election timeout: leases rest upon everybody's.
    nodeOptions: ["deadlines", "retainedLog"],
    codec: raftCodec,
    sharesOrder: true,
    hostsEverywhere: true,
    parseSettings: (options, path) =>
      parseRaftSettings(options, path) as unknown as Readonly<Record<string, unknown>>,
    guarantees: () => RAFT_GUARANTEES,
    deadlineMs: ({ level }, settings) => {
      const { deadlinesMs } = settings as unknown as RaftSettings;
      return deadlinesMs[level as RaftLevel];
    },
    createShared: () => new Pairs(plantedPairBugs),
    createReplica: (context) =>
      new RaftReplica(context, (options) => new Consensus(options, planted), plantedInReplica),
    createCoordinator: (context) => new RaftCoordinator(context, plantedInReplica),
  } satisfies SilentStrategy<RaftMessage>);
}

/** The strategy that configuration names `raft`. */
export const raftStrategy: SilentStrategy<RaftMessage> = makeRaftStrategy();
