import { CapstanError } from "../core/model/errors.ts";
import { AbortListeners } from "./abort-listeners.ts";
import { CallDeadline } from "./call-deadline.ts";
import {
  type Attempt,
  attempt,
  attemptStream,
  closedFault,
  isWorthAnotherServer,
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
  /** Whether an earlier try of the same request may have arrived, too. */
  readonly isRepeated: boolean;
}

export interface ServerConnectionOptions {
  readonly urls: readonly string[];
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/**
 * Sends requests to the first server that works, and stays with it. A request goes out again only
 * where that is safe: reads; and writes that were certainly not sent, were refused as not applied,
 * or carry an operation id, which makes the second one the very same write.
 *
 * Invariant: once a write may have been sent, no later refusal makes it `not-applied`.
 */
export class ServerConnection {
  readonly #options: ServerConnectionOptions;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #streams = new Set<() => void>();
  readonly #abortListeners = new AbortListeners();
  #current = 0;
  #closed = false;

  constructor(options: ServerConnectionOptions) {
    this.#options = options;
  }

  /** A request that changes nothing, or nothing that counts. */
  read(request: ServerRequest, limits: CallLimits): Promise<Answer> {
    return this.#track(() => this.#send(request, limits, false));
  }

  write(request: ServerRequest, limits: CallLimits): Promise<Answer> {
    return this.#track(() => this.#send(request, limits, true));
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

  /** One try at the server that is used now. */
  openStream(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<StreamAttempt> {
    return attemptStream(this.#options.fetch, this.#url() + path, headers, signal);
  }

  /** The server that is used now does not do. */
  moveOn(): void {
    this.#current++;
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
  }

  async #track(send: () => Promise<Answer>): Promise<Answer> {
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
    const attempts = urls.length === 1 ? ATTEMPTS_AT_ONE : Math.max(urls.length, ATTEMPTS_AT_ONE);
    let sent = false;
    let last: Attempt | undefined;
    try {
      for (let count = 0; count < attempts && deadline.cause === undefined; count++) {
        last = await attempt(this.#options.fetch, this.#url(), request, deadline);
        if (last.type === "answered") {
          const { status, body, session } = last;
          return { status, body, session, isRepeated: sent };
        }
        if (last.type === "failed") sent ||= last.sent;
        else if (urls.length === 1 || !isWorthAnotherServer(last)) break;
        if (deadline.cause !== undefined || (sent && !mayRepeat)) break;
        this.#current++;
      }
    } finally {
      deadline.dispose();
    }
    throw faultOf({ last, sent: sent && isWrite, request, deadline, url: this.#url(), patienceMs });
  }

  #url(): string {
    const { urls } = this.#options;
    return urls[this.#current % urls.length] as string;
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
  const { message, cause } = last.cause as Error;
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : message;
}
