import type { ReplicaContext } from "../../core/contracts/machine.ts";
import type { ConsensusOptions, ConsensusOutputs, SnapshotState } from "./consensus-types.ts";
import type { Pairs } from "./pairs.ts";
import type { RaftSettings } from "./settings.ts";

/** What a replica's consensus is made with: its surroundings, as the replica was given them. */
export function consensusOptions(
  context: ReplicaContext,
  pairs: Pairs | undefined,
  outputs: ConsensusOutputs,
  state: SnapshotState,
  firstQuestion: number,
): ConsensusOptions {
  const { self, shardIndex, nodes, placement, isReachable, randomUint32, health } = context;
  const { timing, limits } = context.settings as unknown as RaftSettings;
  return {
    self,
    shardIndex,
    nodes,
    placement: () => placement(shardIndex),
    // In the order of the placement, which differs from shard to shard: leaders spread.
    priorityOf: (node) => {
      const { replicas } = placement(shardIndex);
      const at = replicas.indexOf(node);
      return at < 0 ? 0 : replicas.length - at;
    },
    timing,
    limits,
    randomUint32,
    firstQuestion,
    isReachable,
    health: {
      isDiskSick: () => health.diskState() !== "ok",
      loopLagMs: () => health.eventLoopLagMs(),
    },
    pairs,
    outputs,
    state,
  };
}
