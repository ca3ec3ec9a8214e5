import type { Level } from "../../core/model/levels.ts";
import { type Demands, isMetBy } from "./demand.ts";
import type { AbleContext } from "./rebuilding-peers.ts";
import { ReplicaAnswers, type ReplicaMask } from "./replica-answers.ts";

/**
 * Replicas whose answer could count, as far as this node knows: those that can be reached, without
 * its own while that is being rebuilt, and those of peers that have said so of theirs.
 */
export function ableReplicas(
  context: AbleContext,
  answers: ReplicaAnswers,
  shardIndex: number,
  reachable = answers.reachable(context.isReachable),
): ReplicaMask {
  const others = reachable & ~(context.rebuilding?.maskOf(answers, shardIndex) ?? 0);
  const own = answers.bitOf(context.self.node);
  if (own === 0 || context.servingState(shardIndex) !== undefined) return others;
  return others & ~own;
}

/** Whether calls of the level would find enough of them, whatever shard their key is in. */
export function isEveryShardAble(context: AbleContext, demands: Demands, level: Level): boolean {
  for (let shardIndex = 0; shardIndex < context.shardCount; shardIndex++) {
    const demand = demands.of(level, shardIndex);
    if (demand === undefined) return false;
    const answers = new ReplicaAnswers(context.placement(shardIndex));
    if (!isMetBy(demand, ableReplicas(context, answers, shardIndex))) return false;
  }
  return true;
}
