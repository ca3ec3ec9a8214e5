import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import type { Outcome } from "../../core/model/outcome.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import { countOf, type ReplicaAnswers } from "../leaderless/replica-answers.ts";
import { neededFor } from "./receipts.ts";
import { TUNABLE_LEVELS } from "./settings.ts";

export function levelTooHigh(level: Level, total: number): CapstanError {
  const allowed = TUNABLE_LEVELS.filter((word) => neededFor(word, total) !== undefined);
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

/** `operationId` goes with the outcome `unknown`. */
export function superseded(newest: Stamp, outcome: Outcome, operationId?: string): CapstanError {
  const said: Readonly<Record<Outcome, string>> = {
    applied: "took effect, and a newer version has replaced it",
    "not-applied": "was refused: newer versions kept being there, and it was stored nowhere",
    unknown: "was overtaken by a newer version; whether it took effect before is not known",
  };
  return new CapstanError("SUPERSEDED", `the write ${said[outcome]}`, {
    outcome,
    details: { newest: versionTokenOf(newest) },
    ...(operationId === undefined ? {} : { operationId }),
  });
}

/** `refusedByAll`: no replica stored this value; others may have, where it is false. */
export function reusedId(operationId: string, refusedByAll: boolean): CapstanError {
  return new CapstanError(
    "OPERATION_ID_REUSED",
    `operation id ${operationId} was used for another value`,
    refusedByAll ? {} : { outcome: "unknown", retry: "never", operationId },
  );
}

/** With an operation id: an earlier try under it may have been stored. */
export function skewed(operationId: string | undefined): CapstanError {
  return new CapstanError(
    "CLOCK_SKEW",
    "the replicas refused the write's stamp: it lies beyond clock.maxSkew ahead of their clocks",
    operationId === undefined ? {} : { outcome: "unknown", operationId },
  );
}
