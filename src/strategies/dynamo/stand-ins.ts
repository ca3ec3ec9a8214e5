import type { ShardPlacement } from "../../core/contracts/machine.ts";
import { FIRST_EPOCH } from "../leaderless/place/shard-map.ts";
import { ReplicaAnswers } from "../leaderless/replica-answers.ts";

/** Who of the nodes that stand in was asked and has answered; none of them ever counts. */
export class StandIns {
  /** Where nobody stands in, nobody can be asked or answer: one for all writes. */
  readonly #nobody = new ReplicaAnswers({ epoch: FIRST_EPOCH, replicas: [], standIns: [] });

  answersOf(placement: ShardPlacement): ReplicaAnswers {
    if (placement.standIns.length === 0) return this.#nobody;
    return new ReplicaAnswers({
      epoch: placement.epoch,
      replicas: placement.standIns,
      standIns: [],
    });
  }
}
