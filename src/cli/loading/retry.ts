import type { Environment } from "../../core/contracts/environment.ts";
import { CapstanError, type ErrorCode, isCapstanError } from "../../core/model/errors.ts";
import { pause } from "../surroundings.ts";

const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** These settle what became of the write under its id, of the earlier tries, too. */
const SETTLES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CLOCK_SKEW",
  "OPERATION_FENCED",
  "OPERATION_ID_REUSED",
  "SUPERSEDED",
]);

/**
 * Calls again after a fault that did nothing, and after one of unknown outcome under the operation
 * id that it carries, so that the repetition is the very same write. Some 6 seconds in all, so that
 * a load survives the death of a node and the choice of its successors. What it ends with speaks of
 * all tries: once one of them was of unknown outcome, a later one that sent nothing leaves it so.
 */
export async function withRetries<T>(
  environment: Environment,
  signal: AbortSignal,
  call: (operationId: string | undefined) => Promise<T>,
): Promise<T> {
  let operationId: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(operationId);
    } catch (error) {
      if (!isCapstanError(error)) throw error;
      const mayRepeat = error.retry === "same-operation-id" && error.operationId !== undefined;
      const isOver = attempt >= MAX_ATTEMPTS || signal.aborted;
      if (isOver || (error.retry !== "safe" && !mayRepeat)) throw ofAllTries(error, operationId);
      // Once a write may be under way, every further attempt must stay that same write.
      operationId = error.operationId ?? operationId;
    }
    const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
    const chance = environment.random("cli-retry").fraction();
    await pause(environment, ceilingMs * (0.5 + chance / 2), signal);
  }
}

function ofAllTries(last: CapstanError, operationId: string | undefined): CapstanError {
  if (operationId === undefined || last.outcome !== "not-applied" || SETTLES.has(last.code)) {
    return last;
  }
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `an earlier try may have been done, and the last one was refused: ${last.message}`,
    { operationId, cause: last },
  );
}
