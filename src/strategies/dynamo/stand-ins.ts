import type { ShardPlacement } from "../../core/contracts/machine.ts";
import { ReplicaAnswers } from "../leaderless/replica-answers.ts";

/** Who of the nodes that stand in was asked and has answered; none of them ever counts. */
export function standInAnswers(placement: ShardPlacement): ReplicaAnswers {
  return new ReplicaAnswers({ epoch: placement.epoch, replicas: placement.standIns, standIns: [] });
}
