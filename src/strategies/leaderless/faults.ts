import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { neededFor } from "./receipts.ts";
import { countOf, type ReplicaAnswers } from "./replica-answers.ts";

/** `offered`: the levels of the strategy. */
export function levelTooHigh(level: Level, total: number, offered: readonly Level[]): CapstanError {
  const allowed = offered.filter((word) => neededFor(word, total) !== undefined);
  return new CapstanError(
    "INVALID_LEVEL",
    `level ${level} needs more replicas than the ${total} that the keyspace has; ` +
      `allowed: ${allowed.join(", ")}`,
    { allowed },
  );
}

/** Nothing of a write has left, or a read has nobody to ask. */
export function tooFewReachable(
  level: Level,
  needed: number,
  replicas: readonly NodeId[],
  available: readonly NodeId[],
): CapstanError {
  const have = available.length === 0 ? "none" : available.join(", ");
  return new CapstanError(
    "UNAVAILABLE",
    `level ${level} needs ${needed} of the replicas ${replicas.join(", ")}; available: ${have}`,
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

export function unansweredRead(
  level: Level,
  needed: number,
  answers: ReplicaAnswers,
): CapstanError {
  return new CapstanError(
    "QUORUM_NOT_MET",
    `level ${level} needs ${needed} answers that count; ${countOf(answers.counted)} came in time`,
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
