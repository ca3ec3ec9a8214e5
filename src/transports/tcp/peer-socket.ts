import type { Socket } from "node:net";

/** Who is told what happens on a socket. Never called after `destroy`. */
export interface SocketOwner {
  /** The chunk is the socket's own: nobody else reads or writes it. */
  onChunk(chunk: Uint8Array): void;
  /** The peer sends nothing more; it may still read. */
  onEnd(): void;
  /** Once. After `onEnd` it is the orderly end, else `reason` says why the connection broke. */
  onClosed(reason: string): void;
}

/** For a socket that nobody cares for yet. */
const NO_OWNER: SocketOwner = Object.freeze({
  onChunk: () => undefined,
  onEnd: () => undefined,
  onClosed: () => undefined,
});

/** How long a quiet connection lasts before TCP itself asks whether the peer is there. */
export const KEEP_ALIVE_DELAY_MS = 10_000;

/** A socket whose owner changes during its life: first the introduction, then a lane. */
export class PeerSocket {
  readonly socket: Socket;
  owner: SocketOwner = NO_OWNER;
  #error: string | undefined;
  #destroyed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.#destroyed) this.owner.onChunk(chunk);
    });
    socket.on("end", () => {
      if (!this.#destroyed) this.owner.onEnd();
    });
    // `close` always follows: the error only says why.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message;
    });
    socket.on("close", () => {
      if (this.#destroyed) return;
      this.#destroyed = true;
      this.owner.onClosed(this.#error ?? "closed by the peer");
    });
  }

  /** Closes without another word to the owner. Idempotent. */
  destroy(): void {
    this.#destroyed = true;
    this.socket.destroy();
  }

  /** Sends `lastWords` and closes once they have left. */
  destroyAfter(lastWords: Uint8Array): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.socket.resume();
    this.socket.write(lastWords);
    this.socket.destroySoon();
  }
}
