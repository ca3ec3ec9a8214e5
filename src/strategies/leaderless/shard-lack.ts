import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import type { PartitionPolicy } from "../../core/model/configuration-types.ts";
import type { Level } from "../../core/model/levels.ts";
import type { ShardLack } from "../../core/model/shard-lack.ts";
import { ableReplicas } from "./able-replicas.ts";
import { type DemandSide, type Demands, isMetBy, mayLower } from "./demand.ts";
import { ReplicaAnswers } from "./replica-answers.ts";

export interface LackQuestion {
  readonly shardIndex: number;
  readonly level: Level;
  readonly side: DemandSide;
}

/** What keeps a leaderless shard from meeting a level. Undefined: nothing, as far as is known here. */
export function shardLack(
  context: CoordinatorContext,
  demands: Demands,
  policy: PartitionPolicy,
  { shardIndex, level, side }: LackQuestion,
): ShardLack | undefined {
  const placement = context.placement(shardIndex);
  const answers = new ReplicaAnswers(placement);
  const able = ableReplicas(context, answers, shardIndex);
  const demand = demands.of(level, shardIndex, side);
  // Of a level that these replicas can never meet, the answer to an operation speaks.
  if (demand === undefined || isMetBy(demand, able)) return undefined;
  const counted = answers.nodesOf(able);
  // Only a write may be left with one who stands in.
  const others = side === "write" ? placement.standIns : [];
  const isAnyThere = able !== 0 || others.some((node) => context.isReachable(node));
  return {
    reason: mayLower(policy, level) && isAnyThere ? "lowered" : "too-few-replicas",
    missing: placement.replicas.filter((node) => !counted.includes(node)),
    isHeld: placement.replicas.includes(context.self.node),
  };
}
