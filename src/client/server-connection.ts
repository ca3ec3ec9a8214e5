import { CapstanError } from "../core/model/errors.ts";
import { AbortListeners } from "./abort-listeners.ts";
import { CallDeadline } from "./call-deadline.ts";
import { describeFetchFailure } from "./fetch-failure.ts";
import {
  type Attempt,
  attempt,
  attemptStream,
  closedFault,
  isWorthAnotherTry,
  type ServerRequest,
  type StreamAttempt,
} from "./server-call.ts";

/** Tries at one server; with more servers each is tried once. */
const ATTEMPTS_AT_ONE = 3;
/** A server that is asked to answer in time gets this long to say what became of a late write. */
const GRACE_MS = 2_000;

export interface CallLimits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly session: string | undefined;
  /** Which has given it, as `ServerConnection.current` counts them. */
  readonly server: number;
  /** Whether an earlier try of the same request may have arrived, too. */
  readonly isRepeated: boolean;
}

/** The requests that one call is made of. */
export interface Requests {
  /** A request that changes nothing, or nothing that counts. */
  read(request: ServerRequest, limits: CallLimits): Promise<Answer>;
  write(request: ServerRequest, limits: CallLimits): Promise<Answer>;
}

export interface ServerConnectionOptions {
  readonly urls: readonly string[];
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  /** Lets go of what `fetch` holds. */
  readonly end?: () => void;
}

/**
 * Sends requests to the first server that works, and stays with it. A request goes out again only
 * where that is safe: reads; and writes that were certainly not sent, were refused as not applied,
 * or carry an operation id, which makes the second one the very same write.
 *
 * Invariant: once a write may have been sent, no later refusal makes it `not-applied`.
 */
export class ServerConnection implements Requests {
  readonly #options: ServerConnectionOptions;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #streams = new Set<() => void>();
  readonly #abortListeners = new AbortListeners();
  readonly #ofOneCall: Requests = Object.freeze({
    read: (request: ServerRequest, limits: CallLimits) => this.#send(request, limits, false),
    write: (request: ServerRequest, limits: CallLimits) => this.#send(request, limits, true),
  });
  /** Which server is used now, counted on without end: each call tries them from here, in a row. */
  #current = 0;
  #closed = false;

  constructor(options: ServerConnectionOptions) {
    this.#options = options;
  }

  read(request: ServerRequest, limits: CallLimits): Promise<Answer> {
    return this.#track(() => this.#send(request, limits, false));
  }

  write(request: ServerRequest, limits: CallLimits): Promise<Answer> {
    return this.#track(() => this.#send(request, limits, true));
  }

  /**
   * A call of several requests: what was begun before the client closes is let to its end, and those
   * that come behind its first are sent.
   */
  whole<Result>(call: (requests: Requests) => Promise<Result>): Promise<Result> {
    return this.#track(() => call(this.#ofOneCall));
  }

  /** How long a server may be silent before it counts as gone. */
  get patienceMs(): number {
    return this.#options.timeoutMs;
  }

  get serverCount(): number {
    return this.#options.urls.length;
  }

  get abortListeners(): AbortListeners {
    return this.#abortListeners;
  }

  /** The server that is used now. */
  get current(): number {
    return this.#current;
  }

  /** One try at the server `at`. */
  openStream(
    at: number,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<StreamAttempt> {
    return attemptStream(this.#options.fetch, this.#url(at) + path, headers, signal);
  }

  /**
   * The server `at` does not do. Gives the one behind it. Of several calls that find the same one gone
   * only the first leads the others on: else two of them would lead back to it.
   */
  moveOn(at: number): number {
    if (this.#current === at) this.#current++;
    return at + 1;
  }

  /**
   * Something that goes on until it is ended: by its owner, or with the client.
   *
   * @throws CapstanError `STORE_CLOSED`.
   */
  addStream(end: () => void): void {
    if (this.#closed) throw closedFault();
    this.#streams.add(end);
  }

  deleteStream(end: () => void): void {
    this.#streams.delete(end);
  }

  /** Lets end what is under way, and ends the streams. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const end of [...this.#streams]) end();
    await Promise.allSettled([...this.#underWay]);
    this.#options.end?.();
  }

  async #track<Result>(send: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw closedFault();
    const call = send();
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  async #send(request: ServerRequest, limits: CallLimits, isWrite: boolean): Promise<Answer> {
    const { timeoutMs, urls } = this.#options;
    const patienceMs = limits.timeoutMs === undefined ? timeoutMs : limits.timeoutMs + GRACE_MS;
    const deadline = new CallDeadline(patienceMs, limits.signal, this.#abortListeners);
    const mayRepeat =
      !isWrite || request.operationId !== undefined || request.isRepeatable === true;
    // A server that was told how long it may take is waited for as long.
    const isShared = mayRepeat && limits.timeoutMs === undefined && urls.length > 1;
    const shareMs = isShared ? patienceMs / urls.length : undefined;
    const attempts = urls.length === 1 ? ATTEMPTS_AT_ONE : Math.max(urls.length, ATTEMPTS_AT_ONE);
    let sent = false;
    let last: Attempt | undefined;
    let at = request.server ?? this.#current;
    let url = this.#url(at);
    try {
      for (let count = 0; count < attempts && deadline.cause === undefined; count++) {
        url = this.#url(at);
        last = await this.#attempt(url, request, deadline, shareMs);
        if (last.type === "answered") {
          const { status, body, session } = last;
          return { status, body, session, server: at, isRepeated: sent };
        }
        if (last.type === "failed") sent ||= last.sent;
        else if (!isWorthAnotherTry(last, urls.length)) break;
        if (deadline.cause === "aborted") break;
        at = this.moveOn(at);
        if (sent && !mayRepeat) break;
      }
    } finally {
      deadline.dispose();
    }
    throw faultOf({ last, sent: sent && isWrite, request, deadline, url, patienceMs });
  }

  /** @param shareMs after which a server that says nothing leaves the time to the others. */
  async #attempt(
    url: string,
    request: ServerRequest,
    deadline: CallDeadline,
    shareMs: number | undefined,
  ): Promise<Attempt> {
    const { fetch } = this.#options;
    if (shareMs === undefined) return attempt(fetch, url, request, deadline.signal);
    const share = new CallDeadline(shareMs, deadline.signal, this.#abortListeners, true);
    try {
      const made = await attempt(fetch, url, request, share.signal);
      if (made.type !== "failed" || share.cause !== "timeout") return made;
      return { ...made, cause: new Error(`no answer came within ${Math.ceil(shareMs)} ms`) };
    } finally {
      share.dispose();
    }
  }

  #url(at: number): string {
    const { urls } = this.#options;
    return urls[at % urls.length] as string;
  }
}

interface Ending {
  readonly last: Attempt | undefined;
  /** A write may have left. */
  readonly sent: boolean;
  readonly request: ServerRequest;
  readonly deadline: CallDeadline;
  readonly url: string;
  readonly patienceMs: number;
}

function faultOf({ last, sent, request, deadline, url, patienceMs }: Ending): CapstanError {
  if (last?.type === "refused" && !(sent && last.fault.outcome === "not-applied")) {
    return last.fault;
  }
  const why =
    deadline.cause === "aborted"
      ? "the call was aborted"
      : deadline.cause === "timeout"
        ? `no answer came within ${patienceMs} ms`
        : describeCause(last);
  const cause = last?.type === "failed" ? last.cause : last?.type === "refused" && last.fault;
  const options = cause ? { cause } : {};
  if (sent) {
    const { operationId } = request;
    return new CapstanError(
      "OUTCOME_UNKNOWN",
      `the ${request.method} was sent to ${url}, and its answer was lost: ${why}`,
      { ...options, ...(operationId === undefined ? {} : { operationId }) },
    );
  }
  return deadline.cause === "aborted"
    ? new CapstanError("ABORTED", why, options)
    : new CapstanError("UNREACHABLE_SERVER", `${url} cannot be reached: ${why}`, options);
}

export function describeCause(last: Attempt | undefined): string {
  if (last === undefined || last.type === "answered") return "nothing was tried";
  if (last.type === "refused") return last.fault.message;
  return describeFetchFailure(last.cause);
}
