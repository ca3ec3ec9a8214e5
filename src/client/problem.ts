import { z } from "zod";
import {
  CapstanError,
  type CapstanErrorOptions,
  ERRORS,
  type ErrorCode,
} from "../core/model/errors.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** Not strict: a newer server may say more. */
const problem = z.object({
  code: z.string(),
  detail: z.string(),
  outcome: z.enum(["applied", "not-applied", "unknown"]),
  retry: z.enum(["never", "safe", "same-operation-id"]),
  operation_id: z.string().optional(),
  allowed: z.array(z.union([z.string(), z.number()])).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** The server's fault, as the embedded store would have thrown it; undefined if it is none. */
export function faultFromProblem(
  body: unknown,
  operationId: string | undefined,
): CapstanError | undefined {
  const result = problem.safeParse(body);
  if (!result.success) return undefined;
  const { code, detail, outcome, retry, allowed, details } = result.data;
  const id = result.data.operation_id ?? (outcome === "unknown" ? operationId : undefined);
  const options: CapstanErrorOptions = {
    outcome,
    retry,
    ...(id === undefined ? {} : { operationId: id }),
    ...(allowed === undefined ? {} : { allowed }),
    ...(details === undefined ? {} : { details }),
  };
  // A code of a newer server is a fault all the same, and its outcome holds.
  return Object.hasOwn(ERRORS, code)
    ? new CapstanError(code as ErrorCode, detail, options)
    : new CapstanError("INTERNAL", `${code}: ${detail}`, options);
}
