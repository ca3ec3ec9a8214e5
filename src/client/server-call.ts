import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import { MalformedBytesError } from "../core/model/malformed-bytes-error.ts";
import { decodeValue } from "../core/model/values.ts";
import { isBadPort, isUnsentFailure } from "./fetch-failure.ts";
import { faultFromProblem, PROBLEM_TYPE } from "./problem.ts";

export const SESSION_HEADER = "x-session-token";
export const CAPSTAN_TYPE = "application/vnd.capstan.value";
const JSON_TYPE = "application/json";
const EVENT_STREAM_TYPE = "text/event-stream";

/** Failures of a connection that never was: not a byte of the request has left (see `isUnsent`). */
const UNSENT: readonly unknown[] = [
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
  // The server's certificate was found wanting.
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

/** One request, the same for each server that it is tried at. */
export interface ServerRequest {
  readonly method: "GET" | "PUT" | "DELETE" | "POST";
  /** With the query, below the server's URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** What a write is known by; makes it safe to send twice. */
  readonly operationId?: string | undefined;
  /** Whether it is safe to send twice although it has no id as a whole: each part has its own. */
  readonly isRepeatable?: boolean;
  /** Where to try first, instead of at the server that is used now: see `Answer.server`. */
  readonly server?: number | undefined;
}

/**
 * - `answered`: the server's word, decoded.
 * - `failed`: no word; `sent` unless it is certain that nothing left.
 */
export type Attempt =
  | {
      readonly type: "answered";
      readonly status: number;
      readonly body: unknown;
      /** What the call's session has seen; undefined if the call had none. */
      readonly session: string | undefined;
    }
  | { readonly type: "refused"; readonly fault: CapstanError; readonly status: number }
  | { readonly type: "failed"; readonly sent: boolean; readonly cause: unknown };

/** Sends the request to one server, once. Never rejects. */
export async function attempt(
  fetchFunction: typeof fetch,
  url: string,
  request: ServerRequest,
  signal: AbortSignal,
): Promise<Attempt> {
  try {
    const response = await fetchFunction(url + request.path, {
      method: request.method,
      headers: { accept: `${CAPSTAN_TYPE}, ${JSON_TYPE};q=0.5`, ...request.headers },
      redirect: "error",
      signal,
      ...(request.body === undefined ? {} : { body: request.body as Uint8Array<ArrayBuffer> }),
    });
    return readAnswer(response, await bytesOf(response, signal), request.operationId);
  } catch (cause) {
    return failureOf(cause);
  }
}

/**
 * - `opened`: the answer's body goes on.
 * - `refused`, `failed`: as of an attempt.
 */
export type StreamAttempt =
  | { readonly type: "opened"; readonly body: ReadableStream<Uint8Array> }
  | Exclude<Attempt, { readonly type: "answered" }>;

/** Asks one server for a stream, once. Never rejects. */
export async function attemptStream(
  fetchFunction: typeof fetch,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<StreamAttempt> {
  try {
    const response = await fetchFunction(url, {
      headers: { accept: EVENT_STREAM_TYPE, ...headers },
      redirect: "error",
      signal,
    });
    const type = response.headers.get("content-type")?.split(";")[0];
    if (response.ok && type === EVENT_STREAM_TYPE && response.body !== null) {
      return { type: "opened", body: response.body };
    }
    const answer = readAnswer(response, await bytesOf(response, signal), undefined);
    if (answer.type !== "answered") return answer;
    return { type: "failed", sent: true, cause: new Error("the answer is no stream of events") };
  } catch (cause) {
    return failureOf(cause);
  }
}

/**
 * The whole body. The signal that was given to `fetch` does not end this: Node 20 holds on to what
 * passes it on by weak references alone once the head of the answer is there, and a server that stops
 * in the middle of its body would be waited for without end.
 */
async function bytesOf({ body }: Response, signal: AbortSignal): Promise<Uint8Array> {
  const reader = body?.getReader();
  const end = (): void => void reader?.cancel().catch(() => undefined);
  signal.addEventListener("abort", end);
  const chunks: Uint8Array[] = [];
  try {
    if (signal.aborted) end();
    for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
      chunks.push(next.value);
    }
  } finally {
    signal.removeEventListener("abort", end);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks);
}

function readAnswer(
  response: Response,
  bytes: Uint8Array,
  operationId: string | undefined,
): Attempt {
  const { status } = response;
  const type = response.headers.get("content-type")?.split(";")[0];
  const session = response.headers.get(SESSION_HEADER) ?? undefined;
  if (type === CAPSTAN_TYPE) {
    return { type: "answered", status, body: decodeBody(bytes), session };
  }
  if (type === JSON_TYPE && response.ok) {
    return { type: "answered", status, body: parse(bytes), session };
  }
  const fault = type === PROBLEM_TYPE ? faultFromProblem(parse(bytes), operationId) : undefined;
  if (fault !== undefined) return { type: "refused", fault, status };
  const cause = new Error(`the answer ${status} of type ${type} is not one of Capstan's`);
  return { type: "failed", sent: true, cause };
}

function decodeBody(bytes: Uint8Array): unknown {
  return decodeValue(bytes);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new MalformedBytesError("the answer is not JSON", { cause });
  }
}

/** A fault of Capstan's own comes of what the client was made with, before anything was sent. */
function failureOf(cause: unknown): Exclude<Attempt, { readonly type: "answered" }> {
  if (isCapstanError(cause)) return { type: "refused", fault: cause, status: 0 };
  return { type: "failed", sent: !isUnsent(cause), cause };
}

/** What the system was asked for when a connection could not be made. */
const CONNECTING: readonly unknown[] = ["connect", "getaddrinfo", undefined];

/**
 * A peer that is out of reach for long ends a connection that stood with the same codes as one that
 * could not be made: the request may have left on it.
 */
function isUnsent(error: unknown): boolean {
  const { cause } = (error ?? {}) as {
    readonly cause?: { readonly code?: unknown; readonly syscall?: unknown };
  };
  if (isBadPort(error) || isUnsentFailure(error)) return true;
  return UNSENT.includes(cause?.code) && CONNECTING.includes(cause?.syscall);
}

/** A server that stood still has not read the whole request, and begun nothing. */
const REQUEST_TIMEOUT = 408;

/**
 * Whether another try may do what this one could not: at another server; or, where the request did not
 * arrive in time, at the same one.
 */
export function isWorthAnotherTry(attempt: Attempt, serverCount: number): boolean {
  if (attempt.type !== "refused" || attempt.fault.outcome !== "not-applied") return false;
  return attempt.status === REQUEST_TIMEOUT || (attempt.status === 503 && serverCount > 1);
}

export function closedFault(): CapstanError {
  return new CapstanError("STORE_CLOSED", "the client is closed");
}
