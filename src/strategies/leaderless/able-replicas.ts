import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import type { ReplicaAnswers, ReplicaMask } from "./replica-answers.ts";

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
