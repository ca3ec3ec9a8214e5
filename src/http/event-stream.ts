import type { ServerResponse } from "node:http";

/** What a browser waits, once the stream has ended, before it asks again. */
const RETRY_MS = 1_000;
/** Heartbeats that go by without the client having taken anything, before it is given up. */
const PATIENCE = 3;

export interface StreamedEvent {
  readonly id: string;
  readonly event: string;
  /** JSON, or other text without line breaks. */
  readonly data: string;
}

/**
 * Server-Sent Events to one client (WHATWG HTML, section 9.2), no faster than the client takes them.
 * A comment goes out whenever nothing else has for a while, so that both ends notice a connection
 * that is gone; one that takes nothing for three times as long is cut.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #heartbeatMs: number;
  #unread = 0;
  #whenWritable: (() => void) | undefined;

  constructor(response: ServerResponse, heartbeatMs: number) {
    this.#response = response;
    this.#heartbeatMs = heartbeatMs;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    response.socket?.setNoDelay(true);
    response.on("timeout", () => this.#onIdle());
    response.setTimeout(heartbeatMs);
    response.on("drain", () => this.#onDrain());
    response.once("close", () => this.#onDrain());
  }

  get isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  /** Settles once the client may be sent more, or is gone. */
  send({ id, event, data }: StreamedEvent): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    if (this.#response.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`)) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#whenWritable = resolve;
    });
  }

  /** A last word that a client does not take for a place to go on from. */
  end(event?: string, data = ""): void {
    if (this.isOpen) this.#response.end(event && `event: ${event}\ndata: ${data}\n\n`);
  }

  #onIdle(): void {
    const response = this.#response;
    if (!this.isOpen) return;
    if (!response.writableNeedDrain) response.write(": still here\n\n");
    else if (++this.#unread >= PATIENCE) response.destroy();
    // A socket's own timer is silent after it has fired, until something moves.
    response.setTimeout(this.#heartbeatMs);
  }

  #onDrain(): void {
    this.#unread = 0;
    this.#whenWritable?.();
    this.#whenWritable = undefined;
  }
}
