import type { Outcome, RetryAdvice } from "./outcome.ts";

/** One row of the registry: what a code means, everywhere. */
export interface ErrorDefinition {
  /** `outcome` of a fault with this code, unless the site that raises it knows better. */
  readonly outcome: Outcome;
  readonly retry: RetryAdvice;
  readonly httpStatus: number;
  /** One sentence; `docs/errors.md` repeats it. */
  readonly summary: string;
}

/**
 * Every fault that a caller can see. A test keeps this table, the exported types and
 * `docs/errors.md` equal. Codes are stable: code may be added, never renamed.
 */
export const ERRORS = Object.freeze({
  INVALID_CONFIGURATION: row(
    "not-applied",
    "never",
    400,
    "The configuration is refused; the message names the path, the value and what is allowed.",
  ),
  INVALID_ARGUMENT: row(
    "not-applied",
    "never",
    400,
    "An argument or option of a call is not of the allowed form.",
  ),
  INVALID_KEY: row(
    "not-applied",
    "never",
    400,
    "The key is empty, too long, or not well-formed text.",
  ),
  INVALID_VALUE: row(
    "not-applied",
    "never",
    400,
    "The value holds something that cannot be stored; the message names its path.",
  ),
  VALUE_TOO_LARGE: row(
    "not-applied",
    "never",
    413,
    "The encoded value is larger than the keyspace allows.",
  ),
  INVALID_LEVEL: row(
    "not-applied",
    "never",
    400,
    "The keyspace's strategy does not offer this consistency level; the message names those that it offers.",
  ),
  INVALID_CURSOR: row(
    "not-applied",
    "never",
    400,
    "The cursor of a scan or watch was not made by this keyspace, or is damaged.",
  ),
  INVALID_SESSION: row(
    "not-applied",
    "never",
    400,
    "The session token was not made by this keyspace, is damaged, or has seen more than it can hold.",
  ),
  SESSION_BEHIND: row(
    "not-applied",
    "safe",
    503,
    "No copy that answered the read in time has all that the session has seen; nothing older is shown in its place.",
  ),
  INVALID_OPERATION_ID: row(
    "not-applied",
    "never",
    400,
    "The operation id was not made by this cluster's store for this keyspace, or is damaged.",
  ),
  OPERATION_ID_REUSED: row(
    "not-applied",
    "never",
    409,
    "The operation id was used before for another key or another value.",
  ),
  OPERATION_FENCED: row(
    "not-applied",
    "never",
    409,
    "store.resolve has settled this operation id as not applied: no write takes effect under it any more.",
  ),
  OPERATION_ID_EXPIRED: row(
    "unknown",
    "never",
    504,
    "The operation id is older than what the keyspace remembers: nothing was written now, whether it was before nobody knows.",
  ),
  UNKNOWN_KEYSPACE: row(
    "not-applied",
    "never",
    404,
    "No keyspace of this name is declared; the message names those that are.",
  ),
  NOT_SUPPORTED: row(
    "not-applied",
    "never",
    422,
    "The keyspace's strategy or resolver does not offer this operation or option.",
  ),
  CONDITIONAL_UNSUPPORTED: row(
    "not-applied",
    "never",
    422,
    "ifVersion and ifAbsent need consensus, which this keyspace's strategy does not have; nothing was written.",
  ),
  SUPERSEDED: row(
    "applied",
    "never",
    409,
    "A newer version was already there: the write lost to it, either at once (applied) or without being stored anywhere (not applied).",
  ),
  TOO_MANY_SIBLINGS: row(
    "not-applied",
    "never",
    409,
    "The key has as many versions side by side as it may have; a write whose context says what it replaces is taken.",
  ),
  CONTENDED: row(
    "not-applied",
    "safe",
    409,
    "modify lost to other writers each time it tried to write, or another change of the shard's replicas is under way.",
  ),
  CLOCK_SKEW: row(
    "not-applied",
    "safe",
    503,
    "The write's stamp lies too far ahead of the clocks of the replicas, which refused it.",
  ),
  UNAVAILABLE: row(
    "not-applied",
    "safe",
    503,
    "Too few replicas can be reached for the level that was asked; nothing was sent.",
  ),
  QUORUM_LOST: row(
    "not-applied",
    "never",
    503,
    "So many of the shard's replicas have lost their stores that those left are no majority; a write says unknown if a copy may be in a log.",
  ),
  QUORUM_PRESENT: row(
    "not-applied",
    "never",
    409,
    "A recovery was asked for, and a majority of the shard's replicas can be reached: nothing has to be accepted as lost.",
  ),
  NO_COPY_REACHABLE: row(
    "not-applied",
    "safe",
    503,
    "No replica of the key, and nobody who stands in with a copy, answered the read before its deadline.",
  ),
  QUORUM_NOT_MET: row(
    "not-applied",
    "safe",
    503,
    "A read did not get enough answers before its deadline.",
  ),
  OUTCOME_UNKNOWN: row(
    "unknown",
    "same-operation-id",
    504,
    "The write was sent, and too few replicas answered: it may or may not take effect.",
  ),
  OVERLOADED: row("not-applied", "safe", 429, "A bounded queue of this node is full."),
  ABORTED: row(
    "not-applied",
    "safe",
    499,
    "The caller's signal aborted the call before anything was sent.",
  ),
  NOT_READY: row("not-applied", "safe", 503, "The store has not joined its cluster yet."),
  STORE_CLOSED: row("not-applied", "never", 503, "The store is closing or closed."),
  STORE_FAILED: row(
    "not-applied",
    "never",
    503,
    "The node has stopped itself after an internal fault or a failed sync; nothing more is accepted.",
  ),
  IDENTITY_CONFLICT: row(
    "not-applied",
    "never",
    503,
    "Another live process has this node's id (a copied data directory or configuration: end one of the two), or the data belongs to another cluster.",
  ),
  DATA_DISOWNED: row(
    "not-applied",
    "never",
    503,
    "The node's data is an older copy, or its own records are damaged: the next start sets it aside and learns from the peers.",
  ),
  DATA_DIRECTORY_LOCKED: row(
    "not-applied",
    "never",
    503,
    "The node's data directory is open already; the message names the process that has it.",
  ),
  UNSUPPORTED_FORMAT: row(
    "not-applied",
    "never",
    503,
    "The data was written in a format that this version does not know.",
  ),
  PORT_IN_USE: row(
    "not-applied",
    "never",
    503,
    "The address that the node should listen on is taken, or cannot be listened on.",
  ),
  NOT_REPRESENTABLE: row(
    "not-applied",
    "never",
    406,
    "The value holds bytes, dates or bigints that the format asked for cannot hold.",
  ),
  UNAUTHENTICATED: row(
    "not-applied",
    "never",
    401,
    "The node asks for a token, and none that it knows was shown.",
  ),
  FORBIDDEN: row(
    "not-applied",
    "never",
    403,
    "The role of the token that was shown does not go as far as this; the message names the role that does.",
  ),
  FORBIDDEN_HOST: row(
    "not-applied",
    "never",
    403,
    "The request's Host is not an address of this node.",
  ),
  REQUEST_TIMEOUT: row(
    "not-applied",
    "safe",
    408,
    "The request did not arrive whole in time, as where the server or the way to it stood still; nothing of it was begun.",
  ),
  UNSUPPORTED_MEDIA_TYPE: row(
    "not-applied",
    "never",
    415,
    "The request's content type is missing or not one that is understood.",
  ),
  NOT_FOUND: row("not-applied", "never", 404, "There is no such route or method."),
  UNREACHABLE_SERVER: row(
    "not-applied",
    "safe",
    503,
    "No connection to the server could be made; nothing was sent.",
  ),
  RESOLVER_FAILED: row(
    "not-applied",
    "never",
    500,
    "The keyspace's resolver has no value for what is stored under the key; the message is its own.",
  ),
  INTERNAL: row(
    "unknown",
    "same-operation-id",
    500,
    "A fault of Capstan itself; please report it.",
  ),
} satisfies Record<string, ErrorDefinition>);

export type ErrorCode = keyof typeof ERRORS;

export interface CapstanErrorOptions {
  /** Where the raising site knows more than the registry's default. */
  readonly outcome?: Outcome;
  readonly retry?: RetryAdvice;
  /** Makes a retry of a write the very same write. Always there when `outcome` is `unknown`. */
  readonly operationId?: string;
  /** What would have been accepted, for messages and for HTTP's `allowed`. */
  readonly allowed?: readonly (string | number)[];
  /** Facts for programs: the offending path, the levels reached, … */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("capstan.error");

/**
 * The one error class that callers see. Switch on `code`, test with `isCapstanError`: `instanceof`
 * breaks when two copies of the package are installed.
 */
export class CapstanError extends Error {
  override readonly name = "CapstanError";
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly retry: RetryAdvice;
  readonly operationId: string | undefined;
  readonly allowed: readonly (string | number)[] | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: CapstanErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const defined: ErrorDefinition = ERRORS[code];
    this.code = code;
    this.outcome = options.outcome ?? defined.outcome;
    this.retry = options.retry ?? adviceFor(this.outcome, defined);
    this.operationId = options.operationId;
    this.allowed = options.allowed;
    this.details = options.details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** With its message, which `JSON.stringify` leaves out of other errors. */
  toJSON(): object {
    const { name, code, message, outcome, retry, operationId, allowed, details } = this;
    return { name, code, message, outcome, retry, operationId, allowed, details };
  }

  get httpStatus(): number {
    return this.outcome === "unknown" && ERRORS[this.code].outcome !== "unknown"
      ? ERRORS.OUTCOME_UNKNOWN.httpStatus
      : ERRORS[this.code].httpStatus;
  }
}

/**
 * `OVERLOADED`, without the trace of where: it says nothing of the caller's code, and to gather it
 * takes several times what refusing takes. Above its capacity a node would be busy with that alone,
 * and get hardly anything done.
 */
export function overloaded(message: string): CapstanError {
  if (!mayLimitTraces()) return new CapstanError("OVERLOADED", message);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new CapstanError("OVERLOADED", message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Not where a program was started with frozen intrinsics, or has taken the property away. */
function mayLimitTraces(): boolean {
  return Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true;
}

/** Whether `error` is a fault of Capstan, from whichever installed copy of the package. */
export function isCapstanError(error: unknown): error is CapstanError {
  return typeof error === "object" && error !== null && BRAND in error;
}

/** A fault that lost its more specific advice when its outcome turned out worse. */
function adviceFor(outcome: Outcome, defined: ErrorDefinition): RetryAdvice {
  if (outcome === defined.outcome) return defined.retry;
  return outcome === "unknown" ? "same-operation-id" : defined.retry;
}

function row(
  outcome: Outcome,
  retry: RetryAdvice,
  httpStatus: number,
  summary: string,
): ErrorDefinition {
  return Object.freeze({ outcome, retry, httpStatus, summary });
}
