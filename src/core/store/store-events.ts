import type { Observable } from "rxjs";
import { Subject } from "rxjs/internal/Subject";
import type { Environment } from "../contracts/environment.ts";
import type { StoreEvent } from "./api.ts";
import { BoundedStream } from "./bounded-stream.ts";
import { OPTIONS_OF, parseOptions } from "./call-options.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import { refuseAborted, toFault } from "./pending-call.ts";

/** Events that wait for a reader of `events()`, before the oldest are dropped. */
const MAX_WAITING_EVENTS = 1_024;

export interface Notice {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * What a store tells about itself. The protocol only leaves a notice here; subscribers hear of it
 * when the turn is over, so that none of their code runs within a step.
 */
export class StoreEvents {
  readonly events$: Observable<StoreEvent>;
  readonly #environment: Environment;
  readonly #subject = new Subject<StoreEvent>();
  readonly #streams = new Set<BoundedStream<StoreEvent>>();
  #waiting: StoreEvent[] = [];
  #held = false;
  #ended = false;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.events$ = this.#subject.asObservable();
  }

  /** Keeps what happens while the store opens for whoever it is handed to. */
  hold(): void {
    this.#held = true;
  }

  /** The store is handed over: whoever subscribes at once hears of everything. */
  letGo(): void {
    this.#held = false;
    this.#environment.soon(() => this.#deliver());
  }

  emit(notice: Notice): void {
    if (this.#ended) return;
    this.#waiting.push(Object.freeze({ ...notice, atMs: this.#environment.wallMs() }));
    if (this.#waiting.length === 1 && !this.#held) this.#environment.defer(() => this.#deliver());
  }

  stream(options: { readonly signal?: AbortSignal } | undefined): AsyncIterable<StoreEvent> {
    let signal: AbortSignal | undefined;
    const onAbort = { handleEvent: () => stream.end() };
    const stream = new BoundedStream<StoreEvent>(MAX_WAITING_EVENTS, gapFor, () => {
      signal?.removeEventListener("abort", onAbort);
      this.#streams.delete(stream);
    });
    try {
      signal = parseOptions(options, OPTIONS_OF.events, 1).signal;
      refuseAborted(signal);
      if (signal !== undefined) listenToAbort(signal, onAbort);
      if (this.#ended) stream.end();
      else this.#streams.add(stream);
    } catch (error) {
      stream.end(toFault(error));
    }
    return stream;
  }

  /** What was emitted is still delivered; then every stream and subscription completes. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deliver();
    for (const stream of [...this.#streams]) stream.end();
    this.#subject.complete();
  }

  #deliver(): void {
    if (this.#held && !this.#ended) return;
    const events = this.#waiting;
    this.#waiting = [];
    for (const event of events) {
      for (const stream of this.#streams) stream.push(event);
      this.#subject.next(event);
    }
  }
}

function gapFor(dropped: number, last: StoreEvent): StoreEvent {
  return { type: "gap", atMs: last.atMs, dropped };
}
