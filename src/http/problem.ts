import type { FastifyReply, FastifyRequest } from "fastify";
import { CapstanError, ERRORS, isCapstanError } from "../core/model/errors.ts";
import type { Outcome } from "../core/model/outcome.ts";
import { isPlainObject } from "../core/model/plain-object.ts";
import { PROBLEM_TYPE } from "./media-types.ts";

export const OUTCOME_HEADER = "x-outcome";
const RETRY_AFTER_SECONDS = 1;
const REQUEST_TIMEOUT = 408;
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** Fastify's own faults, all of them raised before a handler has run. */
const FRAMEWORK_FAULTS: Readonly<Record<string, (message: string) => CapstanError>> = Object.freeze(
  {
    FST_ERR_CTP_BODY_TOO_LARGE: () =>
      new CapstanError("VALUE_TOO_LARGE", "the body is larger than this server takes"),
    FST_ERR_CTP_INVALID_MEDIA_TYPE: (message: string) =>
      new CapstanError("UNSUPPORTED_MEDIA_TYPE", message),
    FST_ERR_CTP_INVALID_CONTENT_LENGTH: (message: string) =>
      new CapstanError("INVALID_ARGUMENT", message),
    FST_ERR_BAD_URL: (message: string) => new CapstanError("INVALID_ARGUMENT", message),
    FST_ERR_MAX_PARAM_LENGTH: () => new CapstanError("NOT_FOUND", "there is no such route"),
  },
);

/** RFC 9457, with what a program needs to decide what to do next. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly outcome: Outcome;
  readonly retry: string;
  readonly operation_id?: string;
  readonly allowed?: readonly (string | number)[];
  readonly details?: Readonly<Record<string, unknown>>;
}

export function isWrite(method: string): boolean {
  return !SAFE_METHODS.includes(method);
}

/**
 * What is thrown anywhere, as a fault that a caller may see. Anything unexpected is `INTERNAL`,
 * whose text gives nothing away; its outcome is unknown, because nobody knows how far it came.
 */
export function faultOf(error: unknown, operationId?: string): CapstanError {
  if (isCapstanError(error)) return error;
  const code = (error as { readonly code?: unknown } | null)?.code;
  const known = typeof code === "string" ? FRAMEWORK_FAULTS[code] : undefined;
  if (known !== undefined) return known((error as Error).message);
  return new CapstanError("INTERNAL", "an internal fault; the node's log has its details", {
    ...(operationId === undefined ? {} : { operationId }),
    cause: error,
  });
}

export function problemOf(fault: CapstanError): Problem {
  return {
    type: `urn:capstan:error:${fault.code}`,
    title: ERRORS[fault.code].summary,
    status: fault.httpStatus,
    detail: fault.message,
    code: fault.code,
    outcome: fault.outcome,
    retry: fault.retry,
    ...(fault.operationId === undefined ? {} : { operation_id: fault.operationId }),
    ...(fault.allowed === undefined ? {} : { allowed: fault.allowed }),
    ...(fault.details === undefined ? {} : { details: plainDetails(fault.details) }),
  };
}

export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  fault: CapstanError,
): FastifyReply {
  const problem = problemOf(fault);
  if (isWrite(request.method)) reply.header(OUTCOME_HEADER, problem.outcome);
  if (problem.retry === "safe" && (problem.status === 429 || problem.status === 503)) {
    reply.header("retry-after", RETRY_AFTER_SECONDS);
  }
  return reply
    .status(problem.status)
    .header("content-type", PROBLEM_TYPE)
    .send(JSON.stringify(problem));
}

/** An answer to what is no HTTP request, for which there is neither route nor reply. */
export function rawProblem(status: number, reason: string, detail: string): string {
  const code = status === REQUEST_TIMEOUT ? "REQUEST_TIMEOUT" : "INVALID_ARGUMENT";
  const fault = new CapstanError(code, detail);
  const body = JSON.stringify({ ...problemOf(fault), status });
  return [
    `HTTP/1.1 ${status} ${reason}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "X-Outcome: not-applied",
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}

/** Deeper than any fault's; ends cycles. */
const MAX_DETAIL_DEPTH = 8;

/** Facts for programs, as far as JSON holds them. */
function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).filter(([, value]) => isPlain(value)));
}

function isPlain(value: unknown, depth = 0): boolean {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return true;
  if (depth > MAX_DETAIL_DEPTH) return false;
  const parts = isPlainObject(value) ? Object.values(value) : value;
  return Array.isArray(parts) && parts.every((part) => isPlain(part, depth + 1));
}
