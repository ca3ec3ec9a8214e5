import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Environment, TimerHandle } from "../../core/contracts/environment.ts";
import { callerNameOf } from "../../tls/caller-name.ts";
import type { TlsIdentity } from "../../tls/tls-identity.ts";

/** By this event a TLS server is given a socket that it did not accept itself. */
const HAND_OVER = "connection";

/** What the gate tells of a caller. */
export interface TlsGateListener {
  /** It has shown a certificate that the authority of the cluster has signed. */
  onCaller(socket: TLSSocket): void;
  /** It has not, and is gone: by itself if it is `lost`. */
  onRefused(
    fault: "tls" | "crowded" | "lost",
    reason: string,
    remoteAddress: string | undefined,
  ): void;
}

/**
 * Shakes hands with callers, within a time: of more than `maxCallers` that have not shown a certificate
 * the oldest is closed.
 */
export class TlsGate {
  readonly #identity: TlsIdentity;
  readonly #environment: Environment;
  readonly #timeoutMs: number;
  readonly #maxCallers: number;
  readonly #listener: TlsGateListener;
  readonly #server: Server;
  /** Sockets of callers that shake hands. */
  readonly #callers = new Map<string, Caller>();

  constructor(
    identity: TlsIdentity,
    environment: Environment,
    timeoutMs: number,
    maxCallers: number,
    listener: TlsGateListener,
  ) {
    this.#identity = identity;
    this.#environment = environment;
    this.#timeoutMs = timeoutMs;
    this.#maxCallers = maxCallers;
    this.#listener = listener;
    // Who is not authorized is refused below, and not by the server, which would not say why.
    const options = { requestCert: true, rejectUnauthorized: false };
    this.#server = createServer({ ...identity.material, ...options });
    this.#server.on("secureConnection", (socket) => {
      const isAwaited = this.#forget(socket);
      if (isAwaited && socket.authorized) {
        listener.onCaller(socket);
        return;
      }
      const reason = `the caller's certificate: ${socket.authorizationError}`;
      if (isAwaited) listener.onRefused("tls", reason, socket.remoteAddress);
      socket.destroy();
    });
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const reason = error.code ?? error.message;
      if (this.#forget(socket)) listener.onRefused("tls", reason, socket.remoteAddress);
      socket.destroy();
    });
    identity.onRenewed = (material) => this.#server.setSecureContext(material);
  }

  admit(socket: Socket): void {
    this.#identity.reloadIfOld();
    socket.on("error", () => undefined);
    const name = callerNameOf(socket);
    if (name === undefined) {
      socket.destroy();
      return;
    }
    if (this.#callers.size >= this.#maxCallers) this.#dropOldest();
    const timer = this.#environment.setTimer(this.#timeoutMs, () => {
      this.#refuse(name, "tls", `no handshake within ${this.#timeoutMs} ms`);
    });
    this.#callers.set(name, { socket, timer });
    socket.once("close", () => {
      if (this.#callers.get(name)?.socket === socket) this.#refuse(name, "lost", "it hung up");
    });
    this.#server.emit(HAND_OVER, socket);
  }

  close(): void {
    for (const [name, { socket }] of this.#callers) {
      this.#remove(name);
      socket.destroy();
    }
  }

  #dropOldest(): void {
    for (const name of this.#callers.keys()) {
      this.#refuse(name, "crowded", `more than ${this.#maxCallers} callers show no certificate`);
      return;
    }
  }

  #refuse(name: string, fault: "tls" | "crowded" | "lost", reason: string): void {
    const socket = this.#callers.get(name)?.socket;
    this.#remove(name);
    this.#listener.onRefused(fault, reason, socket?.remoteAddress);
    socket?.destroy();
  }

  #forget(socket: Socket): boolean {
    const name = callerNameOf(socket);
    if (name === undefined || !this.#callers.has(name)) return false;
    this.#remove(name);
    return true;
  }

  #remove(name: string): void {
    const caller = this.#callers.get(name);
    if (caller !== undefined) this.#environment.clearTimer(caller.timer);
    this.#callers.delete(name);
  }
}

interface Caller {
  readonly socket: Socket;
  readonly timer: TimerHandle;
}
