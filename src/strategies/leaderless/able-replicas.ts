import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import type { Level } from "../../core/model/levels.ts";
import { type Demands, isMetBy } from "./demand.ts";
import { ReplicaAnswers, type ReplicaMask } from "./replica-answers.ts";

/**
 * Replicas whose answer could count, as far as this node knows: those that can be reached, without
 * its own while that is being rebuilt. Whether a peer's is being rebuilt, only its answer says.
 */
export function ableReplicas(
  context: CoordinatorContext,
  answers: ReplicaAnswers,
  shardIndex: number,
  reachable = answers.reachable(context.isReachable),
): ReplicaMask {
  const own = answers.bitOf(context.self.node);
  if (own === 0 || context.servingState(shardIndex) !== undefined) return reachable;
  return reachable & ~own;
}

/** Whether calls of the level would find enough of them, whatever shard their key is in. */
export function isEveryShardAble(
  context: CoordinatorContext,
  demands: Demands,
  level: Level,
): boolean {
  for (let shardIndex = 0; shardIndex < context.shardCount; shardIndex++) {
    const demand = demands.of(level, shardIndex);
    if (demand === undefined) return false;
    const answers = new ReplicaAnswers(context.placement(shardIndex));
    if (!isMetBy(demand, ableReplicas(context, answers, shardIndex))) return false;
  }
  return true;
}
