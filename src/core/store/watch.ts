import { Observable } from "rxjs/internal/Observable";
import type { Cancellation } from "../contracts/strategy.ts";
import { CapstanError } from "../model/errors.ts";
import { decodeKey, encodeKey } from "../model/keys.ts";
import type { EngineChange } from "../model/operations.ts";
import type { WatchEvent, WatchOptions } from "./api.ts";
import { BoundedStream } from "./bounded-stream.ts";
import { type CallSettings, NO_SETTINGS, OPTIONS_OF, parseOptions } from "./call-options.ts";
import { CallTimer } from "./call-timer.ts";
import type { KeyspaceParts } from "./keyspace-handle.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import { decode } from "./result-decoder.ts";

/** Events that wait for a reader, before the oldest are dropped and a `gap` says so. */
const MAX_WAITING_EVENTS = 1_024;
/**
 * The same of a watch that goes on from a cursor, until it is in step: what the shards have kept for it
 * comes in one turn, before any reader can take it. As much as 16 shards keep.
 */
const MAX_RESUMED_EVENTS = 16_384;
/** Of the values in them; one event alone may be larger. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** What `watch` gives: each iteration over it watches from its own beginning. */
export class KeyspaceWatch implements AsyncIterable<WatchEvent<unknown>> {
  readonly #parts: KeyspaceParts;
  readonly #options: WatchOptions | undefined;

  constructor(parts: KeyspaceParts, options: WatchOptions | undefined) {
    this.#parts = parts;
    this.#options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent<unknown>, undefined> {
    let watching: Watching | undefined;
    const stream = new BoundedStream<WatchEvent<unknown>>(
      MAX_WAITING_EVENTS,
      gapFor,
      () => watching?.stop(),
      MAX_WAITING_BYTES,
      this.#options?.cursor === undefined ? MAX_WAITING_EVENTS : MAX_RESUMED_EVENTS,
    );
    try {
      const { maxTimeoutMs } = this.#parts;
      const settings = parseOptions(this.#options, OPTIONS_OF.watch, maxTimeoutMs);
      refuseAborted(settings.signal);
      watching = new Watching(this.#parts, settings, {
        event: (event, bytes) => {
          stream.push(event, bytes);
          if (event.type === "synced") stream.caughtUp();
        },
        end: (fault) => stream.end(fault),
      });
    } catch (error) {
      stream.end(toFault(error));
    }
    return stream;
  }
}

/** `watch` of a whole keyspace as an Observable: every subscriber has a watch of its own. */
export function observeChanges(parts: KeyspaceParts): Observable<WatchEvent<unknown>> {
  return new Observable((subscriber) => {
    try {
      const watching = new Watching(parts, NO_SETTINGS, {
        event: (event) => subscriber.next(event),
        end: (fault) => (fault === undefined ? subscriber.complete() : subscriber.error(fault)),
      });
      return () => watching.stop();
    } catch (error) {
      subscriber.error(toFault(error));
      return undefined;
    }
  });
}

interface WatchSink {
  /** @param bytes of its values, encoded. */
  event(event: WatchEvent<unknown>, bytes: number): void;
  end(fault: CapstanError | undefined): void;
}

/** One reader's watch, from its beginning until it stops, is aborted, or the keyspace closes. */
class Watching {
  readonly #settings: Readonly<CallSettings>;
  readonly #sink: WatchSink;
  #cancellation: Cancellation | undefined;
  #isOver = false;
  #deadline: CallTimer | undefined;
  readonly #onAbort = { handleEvent: () => this.#end(abortedFault(this.#settings.signal)) };

  constructor(parts: KeyspaceParts, settings: Readonly<CallSettings>, sink: WatchSink) {
    const { lifecycle, maker, engine, environment } = parts;
    if (!lifecycle.isAccepting) throw lifecycle.refusal();
    maker.need("watch", "watch");
    this.#settings = settings;
    this.#sink = sink;
    const { prefix, cursor, signal, timeoutMs } = settings;
    this.#cancellation = engine.watch(
      { prefix: prefix === undefined || prefix === "" ? undefined : encodeKey(prefix), cursor },
      (change) => this.#take(change),
      (fault) => this.#end(fault),
    );
    // An engine may end a watch before it has given it back.
    if (this.#isOver) {
      this.#cancellation.cancel();
      return;
    }
    if (signal !== undefined) listenToAbort(signal, this.#onAbort);
    if (timeoutMs === undefined) return;
    this.#deadline = new CallTimer(environment, timeoutMs, () => this.#end(lateFault(timeoutMs)));
  }

  stop(): void {
    this.#isOver = true;
    this.#cancellation?.cancel();
    this.#settings.signal?.removeEventListener("abort", this.#onAbort);
    this.#clearDeadline();
  }

  #take(change: EngineChange): void {
    if (change.type === "synced") this.#clearDeadline();
    let bytes = change.value?.length ?? 0;
    for (const sibling of change.siblings ?? []) bytes += sibling.length;
    this.#sink.event(toWatchEvent(change), bytes);
  }

  #end(fault: CapstanError | undefined): void {
    this.stop();
    this.#sink.end(fault);
  }

  #clearDeadline(): void {
    this.#deadline?.stop();
    this.#deadline = undefined;
  }
}

/** Called from within the protocol, so it does not throw: what does not decode is a gap. */
function toWatchEvent(change: EngineChange): WatchEvent<unknown> {
  try {
    return decoded(change);
  } catch {
    return { type: "gap", cursor: change.cursor, reason: "an event does not decode" };
  }
}

function decoded(change: EngineChange): WatchEvent<unknown> {
  const { type, key, value, siblings, version, cursor, reason } = change;
  // The strategy owes each type its fields.
  return {
    type,
    ...(key !== undefined && { key: decodeKey(key) }),
    ...(value !== undefined && { value: decode(value) }),
    ...(siblings !== undefined && { siblings: siblings.map(decode) }),
    ...(version !== undefined && { version }),
    cursor,
    ...(reason !== undefined && { reason }),
  } as WatchEvent<unknown>;
}

/** Resuming from a gap's cursor goes on behind the last event that was dropped. */
function gapFor(dropped: number, last: WatchEvent<unknown>): WatchEvent<unknown> {
  const reason = `${dropped} events were dropped: the reader is slower than they come`;
  return { type: "gap", cursor: last.cursor, reason };
}

function abortedFault(signal: AbortSignal | undefined): CapstanError {
  return new CapstanError("ABORTED", "the watch was aborted", { cause: signal?.reason });
}

function lateFault(timeoutMs: number): CapstanError {
  return new CapstanError(
    "UNAVAILABLE",
    `the watch was not in step with every shard within ${timeoutMs} ms: some cannot be reached, ` +
      "or cannot ask their leader what they lack",
  );
}
