import { Observable } from "rxjs";
import type { Cancellation } from "../contracts/strategy.ts";
import { CapstanError } from "../model/errors.ts";
import { decodeKey, encodeKey } from "../model/keys.ts";
import type { EngineChange } from "../model/operations.ts";
import type { WatchEvent, WatchOptions } from "./api.ts";
import { BoundedStream } from "./bounded-stream.ts";
import { type CallSettings, NO_SETTINGS, OPTIONS_OF, parseOptions } from "./call-options.ts";
import type { KeyspaceParts } from "./keyspace-handle.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import { decode } from "./result-decoder.ts";

/** Events that wait for a reader, before the oldest are dropped and a `gap` says so. */
const MAX_WAITING_EVENTS = 1_024;

/** What `watch` gives: each iteration over it watches from its own beginning. */
export class KeyspaceWatch implements AsyncIterable<WatchEvent<unknown>> {
  readonly #parts: KeyspaceParts;
  readonly #options: WatchOptions | undefined;

  constructor(parts: KeyspaceParts, options: WatchOptions | undefined) {
    this.#parts = parts;
    this.#options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent<unknown>, undefined> {
    let cancellation: Cancellation | undefined;
    let signal: AbortSignal | undefined;
    const onAbort = (): void => stream.end(abortedFault(signal));
    const stream = new BoundedStream<WatchEvent<unknown>>(MAX_WAITING_EVENTS, gapFor, () => {
      signal?.removeEventListener("abort", onAbort);
      cancellation?.cancel();
    });
    try {
      const settings = parseOptions(this.#options, OPTIONS_OF.watch, this.#parts.maxTimeoutMs);
      refuseAborted(settings.signal);
      signal = settings.signal;
      signal?.addEventListener("abort", onAbort);
      cancellation = begin(this.#parts, settings, (event) => stream.push(event));
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
      const cancellation = begin(parts, NO_SETTINGS, (event) => subscriber.next(event));
      return () => cancellation.cancel();
    } catch (error) {
      subscriber.error(toFault(error));
      return undefined;
    }
  });
}

function begin(
  parts: KeyspaceParts,
  { prefix, cursor }: Readonly<CallSettings>,
  sink: (event: WatchEvent<unknown>) => void,
): Cancellation {
  if (!parts.lifecycle.isAccepting) throw parts.lifecycle.refusal();
  parts.maker.need("watch", "watch");
  const prefixBytes = prefix === undefined || prefix === "" ? undefined : encodeKey(prefix);
  return parts.engine.watch({ prefix: prefixBytes, cursor }, (change) =>
    sink(toWatchEvent(change)),
  );
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
  const { type, key, value, version, cursor, reason } = change;
  return {
    type,
    ...(key !== undefined && { key: decodeKey(key) }),
    ...(value !== undefined && { value: decode(value) }),
    ...(version !== undefined && { version }),
    cursor,
    ...(reason !== undefined && { reason }),
  };
}

/** Resuming from a gap's cursor goes on behind the last event that was dropped. */
function gapFor(dropped: number, last: WatchEvent<unknown>): WatchEvent<unknown> {
  const reason = `${dropped} events were dropped: the reader is slower than they come`;
  return { type: "gap", cursor: last.cursor, reason };
}

function abortedFault(signal: AbortSignal | undefined): CapstanError {
  return new CapstanError("ABORTED", "the watch was aborted", { cause: signal?.reason });
}
