import type { Server as PlainServer } from "node:http";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { Socket } from "node:net";
import type { FastifyServerOptions } from "fastify";
import type { Observer } from "../core/contracts/observer.ts";
import type { TlsSettings } from "../core/model/tls-options.ts";
import { SystemEnvironment } from "../core/store/system-environment.ts";
import { callerNameOf } from "../tls/caller-name.ts";
import { TlsIdentity } from "../tls/tls-identity.ts";

type ServerFactory = NonNullable<FastifyServerOptions["serverFactory"]>;

/** Rejects with `INVALID_CONFIGURATION` where the files are of no use. */
export async function loadHttpIdentity(
  settings: TlsSettings | undefined,
  observer: Observer,
): Promise<TlsIdentity | undefined> {
  if (settings === undefined) return undefined;
  return TlsIdentity.load({ what: "HTTP" }, settings, new SystemEnvironment(), observer);
}

/**
 * Makes servers of HTTP over TLS. With an authority a caller that shows no certificate of its own is gone
 * before anything that it says is read as HTTP.
 *
 * @param timeouts as Fastify sets them for a server that it makes itself.
 */
export function tlsServerFactory(
  identity: TlsIdentity,
  options: ServerOptions,
  timeouts: Pick<Server, "keepAliveTimeout" | "requestTimeout" | "timeout">,
): ServerFactory {
  const { material } = identity;
  const asksForCertificates = material.ca !== undefined;
  return (handler) => {
    const server = createServer(
      {
        ...options,
        ...material,
        requestCert: asksForCertificates,
        rejectUnauthorized: asksForCertificates,
      },
      handler,
    );
    server.keepAliveTimeout = timeouts.keepAliveTimeout;
    server.requestTimeout = timeouts.requestTimeout;
    server.setTimeout(timeouts.timeout);
    server.on("connection", () => identity.reloadIfOld());
    identity.onRenewed = (renewed) => server.setSecureContext(renewed);
    return server;
  };
}

/** Callers that shake hands: a server that closes does not wait for them. */
export class Handshakes {
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Pick<PlainServer, "on">) {
    server.on("connection", (socket: Socket) => this.#add(socket));
    server.on("secureConnection", (socket: Socket) => {
      const name = callerNameOf(socket);
      if (name !== undefined) this.#sockets.delete(name);
    });
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Whether there was one beside `added`. */
  dropOldest(added: Socket): boolean {
    for (const [name, socket] of this.#sockets) {
      if (socket === added) continue;
      this.#sockets.delete(name);
      socket.destroy();
      return true;
    }
    return false;
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  #add(socket: Socket): void {
    const name = callerNameOf(socket);
    if (name === undefined) return;
    this.#sockets.set(name, socket);
    socket.once("close", () => {
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name);
    });
  }
}
