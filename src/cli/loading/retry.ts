import type { Environment } from "../../core/contracts/environment.ts";
import { isCapstanError } from "../../core/model/errors.ts";
import { pause } from "../surroundings.ts";

const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Calls again after a fault that did nothing, and after one of unknown outcome under the operation
 * id that it carries, so that the repetition is the very same write. Some 6 seconds in all, so that
 * a load survives the death of a node and the choice of its successors.
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
      if (attempt >= MAX_ATTEMPTS || signal.aborted || !isCapstanError(error)) throw error;
      const mayRepeat = error.retry === "same-operation-id" && error.operationId !== undefined;
      if (error.retry !== "safe" && !mayRepeat) throw error;
      // Once a write may be under way, every further attempt must stay that same write.
      operationId = error.operationId ?? operationId;
    }
    const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
    const chance = environment.random("cli-retry").fraction();
    await pause(environment, ceilingMs * (0.5 + chance / 2), signal);
  }
}
