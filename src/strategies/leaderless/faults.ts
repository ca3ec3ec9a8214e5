import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { type Demand, type DemandSide, type Demands, describeDemand } from "./demand.ts";
import { countOf, type ReplicaAnswers } from "./replica-answers.ts";

/** A level that the shard's replicas can never meet. `offered`: the levels of the strategy. */
export function levelTooHigh(
  level: Level,
  shardIndex: number,
  demands: Demands,
  offered: readonly Level[],
  side: DemandSide = "read",
): CapstanError {
  const allowed = offered.filter((word) => demands.of(word, shardIndex, side) !== undefined);
  const why =
    level === "local-quorum"
      ? "needs a replica in this node's datacenter, and the key has none there"
      : `needs more replicas than the ${demands.replicasOf(shardIndex, side)} that the keyspace has`;
  return new CapstanError(
    "INVALID_LEVEL",
    `level ${level} ${why}; allowed: ${allowed.join(", ")}`,
    { allowed },
  );
}

/** Nothing of a write has left, or a read has nobody to ask. */
export function tooFewReachable(
  demand: Demand,
  replicas: readonly NodeId[],
  available: readonly NodeId[],
): CapstanError {
  const { level, count: needed } = demand;
  const have = available.length === 0 ? "none" : available.join(", ");
  return new CapstanError(
    "UNAVAILABLE",
    `level ${level} needs ${describeDemand(demand, replicas)}; available: ${have}`,
    { details: { level, needed, replicas, available } },
  );
}

export function unansweredWrite(
  what: string,
  operationId: string,
  answers: ReplicaAnswers,
): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `${what}: it may or may not take effect; a retry with the operation id is the same write`,
    {
      operationId,
      details: {
        asked: answers.nodesOf(answers.asked),
        answered: answers.nodesOf(answers.answered),
      },
    },
  );
}

export function unansweredRead(demand: Demand, answers: ReplicaAnswers): CapstanError {
  const { level, count: needed } = demand;
  return new CapstanError(
    "QUORUM_NOT_MET",
    `level ${level} needs ${describeAnswers(demand, answers)}; ` +
      `${countOf(answers.counted)} came in time`,
    {
      details: {
        level,
        needed,
        asked: answers.nodesOf(answers.asked),
        answered: answers.nodesOf(answers.answered),
        counted: answers.nodesOf(answers.counted),
      },
    },
  );
}

function describeAnswers(demand: Demand, { placement }: ReplicaAnswers): string {
  const isCount = demand.groups.every(({ datacenter }) => datacenter === undefined);
  if (isCount) return `${demand.count} answers that count`;
  return `answers that count from ${describeDemand(demand, placement.replicas)}`;
}
