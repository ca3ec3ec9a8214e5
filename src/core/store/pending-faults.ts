import { CapstanError, type ErrorCode } from "../model/errors.ts";
import type { NodeId } from "../model/ids.ts";
import { type Pending, PendingRequest } from "./request-table.ts";

/** Faults that more replicas would have spared. */
const OF_TOO_FEW: readonly ErrorCode[] = Object.freeze([
  "UNAVAILABLE",
  "QUORUM_NOT_MET",
  "OUTCOME_UNKNOWN",
]);

/**
 * A write whose machine left a memo may have been sent, so its outcome is unknown; without one,
 * and for every read, nothing happened.
 *
 * @param operationId as its machine says it of the write.
 */
export function truthAbout(
  pending: Pending,
  operationId: string | undefined,
  { code, message, cause }: CapstanError,
): CapstanError {
  if (operationId !== undefined) {
    return new CapstanError(code, message, { outcome: "unknown", operationId, cause });
  }
  const outcome = isMembersChange(pending) ? "unknown" : "not-applied";
  return new CapstanError(code, message, { outcome, cause });
}

/** It has no id: asking for it again is the same change. */
function isMembersChange(pending: Pending): boolean {
  if (!(pending instanceof PendingRequest)) return false;
  const { type, options } = pending.operation;
  if (type !== "members") return false;
  return options?.replicas !== undefined || options?.acceptLoss === true;
}

/** That a node is not asked because it was given another configuration is seen nowhere else. */
export function namingThoseThatLack(
  keyspace: string,
  fault: CapstanError,
  lacking: readonly NodeId[],
): CapstanError {
  if (lacking.length === 0 || !OF_TOO_FEW.includes(fault.code)) return fault;
  const { code, message, outcome, retry, operationId, allowed, details, cause } = fault;
  const who = lacking.join(", ");
  return new CapstanError(code, `${message}; not configured with keyspace "${keyspace}": ${who}`, {
    ...{ outcome, retry, cause, details: { ...details, lacking } },
    ...(operationId !== undefined && { operationId }),
    ...(allowed !== undefined && { allowed }),
  });
}
