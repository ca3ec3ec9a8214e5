import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Handshakes } from "./tls-server.ts";

interface Connection {
  /** Requests without a finished answer. */
  readonly open: Set<IncomingMessage>;
  /** Those of them that have reached the store. */
  readonly working: Set<IncomingMessage>;
  /** Who wants to know when it closes. */
  readonly ends: Set<() => void>;
  /** The latest request, answered or not. */
  last: IncomingMessage | undefined;
  /** What came behind them is broken: no more requests can be read. */
  endsAfterAnswers: boolean;
}

/** A server that shuts down leaves a client that reads nothing of its answer no more than this. */
const CLOSING_PATIENCE_MS = 2_000;

/**
 * Knows what every connection is doing, so that a shutdown ends at once what has not begun (an
 * idle connection, half a request: Node would wait for these, and no longer times them out) and
 * lets end what has; and so that a malformed request behind a good one does not answer for it.
 */
export class ConnectionTracker {
  readonly #connections = new Map<Socket, Connection>();
  readonly #handshakes: Handshakes | undefined;
  #closing = false;

  /**
   * @param isTls what a server of TLS accepts has to shake hands before it is a connection.
   * @param maxConnections above which one has to go for each that comes: see `#makeRoom`.
   */
  constructor(server: Server, isTls: boolean, maxConnections: number) {
    if (isTls) this.#handshakes = new Handshakes(server);
    server.on(isTls ? "secureConnection" : "connection", (socket: Socket) => this.#add(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const connection = this.#connections.get(request.socket);
      if (connection === undefined) return;
      connection.open.add(request);
      connection.last = request;
      response.once("close", () => this.#finish(request, connection));
    });
    server.on("connection", (socket: Socket) => {
      const count = this.#connections.size + (this.#handshakes?.size ?? 0);
      if (count > maxConnections) this.#makeRoom(socket);
    });
    server.on("timeout", (socket: Socket) => this.#onSilence(socket));
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** The whole request is here and goes to the store. */
  begin(request: IncomingMessage): void {
    this.#connections.get(request.socket)?.working.add(request);
  }

  /** Whether a request that arrived whole still waits for its answer on this connection. */
  owesAnswer(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    return connection !== undefined && hasWholeRequest(connection);
  }

  /** Whether the latest request was answered before all of it had come, as one that is refused by its head. */
  hasAnsweredEarly(socket: Socket): boolean {
    const { last, open } = this.#connections.get(socket) ?? {};
    return last !== undefined && !last.complete && open?.has(last) === false;
  }

  endAfterAnswers(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection !== undefined) connection.endsAfterAnswers = true;
  }

  /**
   * Calls `end` when the connection has closed, until what is returned is called. Node says nothing of
   * that to a response that still waits for the one before it on the same connection.
   */
  whenClosed(socket: Socket, end: () => void): () => void {
    const ends = this.#connections.get(socket)?.ends;
    if (ends === undefined) end();
    else ends.add(end);
    return () => ends?.delete(end);
  }

  beginClosing(): void {
    this.#closing = true;
    this.#handshakes?.close();
    for (const [socket, connection] of this.#connections) {
      if (connection.working.size === 0) socket.destroy();
      else socket.setTimeout(CLOSING_PATIENCE_MS);
    }
  }

  /**
   * Nothing has moved on the connection for a while. An answer that nobody reads is not kept for ever,
   * nor a connection that is not used; a request that takes its time is waited for, and a watch looks
   * after itself.
   */
  #onSilence(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.ends.size > 0) return;
    if (socket.writableLength > 0 || connection.open.size === 0) socket.destroy();
  }

  /**
   * Whoever opens as many connections as there may be, and says nothing on them, must not lock out all
   * others. First goes the handshake that has taken longest, then the connection that has been idle
   * longest, then one whose request has not come whole; if all are at work, the new one.
   */
  #makeRoom(added: Socket): void {
    if (this.#handshakes?.dropOldest(added) === true) return;
    const others = [...this.#connections].filter(([socket]) => socket !== added);
    const [victim] =
      others.find(([, { open }]) => open.size === 0) ??
      others.find(([, each]) => each.working.size === 0 && !hasWholeRequest(each)) ??
      [];
    (victim ?? added).destroy();
  }

  #add(socket: Socket): void {
    this.#connections.set(socket, {
      open: new Set(),
      working: new Set(),
      ends: new Set(),
      last: undefined,
      endsAfterAnswers: false,
    });
    socket.once("close", () => this.#close(socket));
    if (this.#closing) socket.destroy();
  }

  #close(socket: Socket): void {
    const ends = this.#connections.get(socket)?.ends ?? [];
    this.#connections.delete(socket);
    for (const end of [...ends]) end();
  }

  #finish(request: IncomingMessage, connection: Connection): void {
    connection.open.delete(request);
    connection.working.delete(request);
    if (this.#connections.delete(request.socket)) {
      // The last in the order is the one that was used last.
      this.#connections.set(request.socket, connection);
    }
    const isIdle = this.#closing && connection.working.size === 0;
    const isDone = connection.endsAfterAnswers && !hasWholeRequest(connection);
    if (isIdle || isDone) request.socket.destroySoon();
  }
}

function hasWholeRequest(connection: Connection): boolean {
  return [...connection.open].some((request) => request.complete);
}
