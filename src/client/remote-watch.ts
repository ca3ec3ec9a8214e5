import { CapstanError } from "../core/model/errors.ts";
import type { WatchEvent, WatchOptions } from "../core/store/api.ts";
import type { AbortListener } from "./abort-listeners.ts";
import { CallDeadline } from "./call-deadline.ts";
import { EventParser, type ServerSentEvent } from "./event-parser.ts";
import { pause } from "./pause.ts";
import { faultFromProblem } from "./problem.ts";
import { wholeMs } from "./remote-writer.ts";
import { checkOptions, OPTIONS, queryOf } from "./request-parts.ts";
import type { StreamAttempt } from "./server-call.ts";
import { describeCause, type ServerConnection } from "./server-connection.ts";
import { toWatchEvent } from "./wire.ts";

/** A server says something every 15 s. */
const SILENCE_MS = 45_000;

/** At one server; with more servers each is tried once. */
const LEAST_TRIES = 3;

type Failure = Exclude<StreamAttempt, { readonly type: "opened" }>;
type Body = ReadableStreamDefaultReader<Uint8Array>;

/**
 * One watch over HTTP: a stream of one server at a time. When it ends, or falls silent, the next one
 * goes on behind the last event that came; if that cannot be told there, it begins with a `gap`.
 *
 * The watch fails when its first request is refused, when no server can be reached for as long as a
 * call may take, and with the server's own fault.
 */
export class RemoteWatch implements AsyncIterator<WatchEvent<unknown>, undefined>, AbortListener {
  readonly #connection: ServerConnection;
  readonly #path: string;
  readonly #options: WatchOptions;
  readonly #events: AsyncGenerator<WatchEvent<unknown>, undefined>;
  readonly #ending = new AbortController();
  #cursor: string | undefined;
  /** The server that streams, or is asked to: see `ServerConnection.current`. */
  #at = 0;
  #isSynced = false;
  /** Whether there ever was a stream: then one that is lost is looked for again. */
  #hasBegun = false;
  /** Streams in a row without an event. */
  #barren = 0;
  readonly #end = (): void => this.#ending.abort();

  constructor(connection: ServerConnection, base: string, options: WatchOptions | undefined) {
    this.#connection = connection;
    this.#path = `${base}/watch`;
    this.#options = options ?? {};
    this.#cursor = options?.cursor;
    this.#events = this.#run();
  }

  next(): Promise<IteratorResult<WatchEvent<unknown>, undefined>> {
    return this.#events.next();
  }

  /** Ends what `next` waits for, too. */
  return(): Promise<IteratorResult<WatchEvent<unknown>, undefined>> {
    this.#end();
    return this.#events.return(undefined);
  }

  /** The caller's signal aborts. */
  onAbort(): void {
    this.#end();
  }

  async *#run(): AsyncGenerator<WatchEvent<unknown>, undefined> {
    const { signal } = this.#options;
    checkOptions(this.#options, OPTIONS.watch);
    this.#connection.addStream(this.#end);
    if (signal !== undefined) this.#connection.abortListeners.add(signal, this);
    if (signal?.aborted === true) this.#end();
    try {
      while (!this.#ending.signal.aborted) {
        const body = await this.#connect();
        if (body !== undefined) yield* this.#read(body);
        // A server that ends what it has just begun is not asked without end.
        if (this.#barren++ > 0) await this.#pause(this.#barren);
      }
    } finally {
      this.#connection.deleteStream(this.#end);
      if (signal !== undefined) this.#connection.abortListeners.remove(signal, this);
      this.#end();
    }
    if (signal?.aborted === true) {
      throw new CapstanError("ABORTED", "the watch was aborted", { cause: signal.reason });
    }
    return undefined;
  }

  /** The next stream, from the first server that gives one; undefined if the watch is over. */
  async #connect(): Promise<Body | undefined> {
    const { patienceMs, abortListeners } = this.#connection;
    const patience = new CallDeadline(patienceMs, this.#ending.signal, abortListeners);
    const { prefix, timeoutMs } = this.#options;
    const query = {
      ...{ prefix, cursor: this.#cursor, values: "canonical" },
      timeout_ms: this.#isSynced ? undefined : wholeMs(timeoutMs),
    };
    this.#at = this.#connection.current;
    try {
      for (let tries = 0; ; tries++) {
        const path = this.#path + queryOf(query);
        const attempt = await this.#tryToOpen(path, patience.signal);
        if (attempt.type === "opened") {
          this.#hasBegun = true;
          return attempt.body.getReader();
        }
        if (this.#ending.signal.aborted) return undefined;
        this.#giveUp(attempt, tries + 1, patience.cause !== undefined);
        this.#at = this.#connection.moveOn(this.#at);
        await this.#pause(tries);
      }
    } finally {
      patience.dispose();
    }
  }

  /** A server that takes the request and says nothing leaves time for the others. */
  async #tryToOpen(path: string, patience: AbortSignal): Promise<StreamAttempt> {
    const { patienceMs, serverCount, abortListeners } = this.#connection;
    const limitMs = patienceMs / serverCount;
    const limit = new CallDeadline(limitMs, patience, abortListeners, true);
    try {
      const attempt = await this.#connection.openStream(this.#at, path, {}, limit.signal);
      if (attempt.type !== "failed" || limit.cause === undefined) return attempt;
      return { ...attempt, cause: new Error(`no answer came within ${Math.ceil(limitMs)} ms`) };
    } finally {
      // What ends the stream once it is open cancels its body: signals that were put together
      // (`AbortSignal.any`) may be collected meanwhile, and then tell it nothing.
      limit.dispose();
    }
  }

  async *#read(body: Body): AsyncGenerator<WatchEvent<unknown>, undefined> {
    const parser = new EventParser();
    try {
      for (;;) {
        const bytes = await this.#chunk(body);
        if (bytes === undefined) return undefined;
        for (const each of parser.push(bytes)) {
          const event = this.#take(each);
          if (event === undefined) return undefined;
          yield event;
        }
      }
    } finally {
      await body.cancel().catch(() => undefined);
    }
  }

  /** Undefined once the stream is over, for whatever reason. */
  async #chunk(body: Body): Promise<Uint8Array | undefined> {
    const silence = new CallDeadline(
      SILENCE_MS,
      this.#ending.signal,
      this.#connection.abortListeners,
    );
    const cancel = (): void => void body.cancel().catch(() => undefined);
    if (silence.cause !== undefined) cancel();
    silence.signal.addEventListener("abort", cancel);
    try {
      return (await body.read()).value;
    } catch {
      return undefined;
    } finally {
      silence.dispose();
    }
  }

  /** Undefined for the fault of a server that another one may do better than. */
  #take({ id, event, data }: ServerSentEvent): WatchEvent<unknown> | undefined {
    this.#barren = 0;
    const body = parse(data);
    if (event === "fault") {
      const fault = faultFromProblem(body, undefined);
      if (fault?.httpStatus === 503 && this.#connection.serverCount > 1 && this.#isSynced) {
        this.#connection.moveOn(this.#at);
        return undefined;
      }
      throw fault ?? new CapstanError("INTERNAL", "the server's fault is not understood");
    }
    const taken = toWatchEvent(body, id ?? this.#cursor ?? "");
    this.#cursor = taken.cursor;
    if (taken.type === "synced") this.#isSynced = true;
    return taken;
  }

  /** Throws where another try would not help. */
  #giveUp(attempt: Failure, tries: number, isLate: boolean): void {
    const enough = Math.max(LEAST_TRIES, this.#connection.serverCount);
    const isTheEnd = isLate || (!this.#hasBegun && tries >= enough);
    if (attempt.type === "refused") {
      const { status, fault } = attempt;
      const mayPass = status === 503 || status === 408 || (status === 429 && this.#hasBegun);
      const isOnlyOne = !this.#hasBegun && this.#connection.serverCount === 1;
      if (!mayPass || isTheEnd || isOnlyOne) throw fault;
    } else if (isTheEnd) {
      const why = describeCause(attempt);
      throw new CapstanError("UNREACHABLE_SERVER", `no server streams the watch: ${why}`);
    }
  }

  #pause(tries: number): Promise<void> {
    return pause(tries, this.#ending.signal, this.#connection.abortListeners);
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new CapstanError("INTERNAL", "an event of the server's is no JSON", { cause });
  }
}
