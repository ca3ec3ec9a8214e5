import { CapstanError } from "../../core/model/errors.ts";
import type { Outcome } from "../../core/model/outcome.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";

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
