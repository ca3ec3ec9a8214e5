import type { Environment, TimerHandle } from "../../core/contracts/environment.ts";
import type { PeerSocket, SocketOwner } from "./peer-socket.ts";
import {
  decodePreamble,
  MAX_PREAMBLE_BYTES,
  type Preamble,
  PreambleError,
  preambleLength,
} from "./preamble.ts";

export type PreambleFault = PreambleError["fault"] | "deadline" | "lost";

export interface PreambleListener {
  /** The socket is paused; `rest` is what came behind the preamble. */
  onPreamble(preamble: Preamble, rest: Uint8Array): void;
  /** The socket still stands, so that a refusal can be sent; destroy it. */
  onFault(fault: PreambleFault, reason: string): void;
}

/** Reads one preamble from a socket, within a time and a size. */
export class PreambleExchange implements SocketOwner {
  readonly #socket: PeerSocket;
  readonly #environment: Environment;
  readonly #listener: PreambleListener;
  readonly #timer: TimerHandle;
  #received: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(
    socket: PeerSocket,
    environment: Environment,
    timeoutMs: number,
    listener: PreambleListener,
  ) {
    this.#socket = socket;
    this.#environment = environment;
    this.#listener = listener;
    this.#timer = environment.setTimer(timeoutMs, () => {
      this.#fail("deadline", `no introduction within ${timeoutMs} ms`);
    });
    socket.owner = this;
  }

  /** Nothing is told to the listener any more. */
  cancel(): void {
    this.#over = true;
    this.#environment.clearTimer(this.#timer);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#over) return;
    try {
      // A chunk may hold megabytes of frames behind the preamble: only its beginning is copied.
      const missing = MAX_PREAMBLE_BYTES - this.#received.length;
      const before = this.#received.length;
      this.#received = Buffer.concat([this.#received, chunk.subarray(0, missing)]);
      const length = preambleLength(this.#received);
      if (length === undefined || this.#received.length < length) return;
      const preamble = decodePreamble(this.#received.subarray(0, length));
      this.cancel();
      this.#socket.socket.pause();
      this.#listener.onPreamble(preamble, chunk.subarray(length - before));
    } catch (error) {
      if (!(error instanceof PreambleError)) throw error;
      this.#fail(error.fault, error.message);
    }
  }

  onEnd(): void {
    this.#fail("lost", "the peer closed the connection before it introduced itself");
  }

  onClosed(reason: string): void {
    this.#fail("lost", reason);
  }

  #fail(fault: PreambleFault, reason: string): void {
    if (this.#over) return;
    this.cancel();
    this.#listener.onFault(fault, reason);
  }
}
