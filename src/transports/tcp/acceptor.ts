import { createServer, type Server, type Socket } from "node:net";
import type { Denial } from "../../core/contracts/transport.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { isCertified } from "../../tls/node-certificate.ts";
import type { PeerLink } from "./peer-link.ts";
import { KEEP_ALIVE_DELAY_MS, PeerSocket } from "./peer-socket.ts";
import { encodePreamble, type Introduction, type Preamble } from "./preamble.ts";
import { PreambleExchange } from "./preamble-exchange.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";
import { TlsGate } from "./tls-gate.ts";

/** Connections that have not introduced themselves; of more, the oldest are closed. */
const MAX_STRANGERS = 512;

/** The fault of a knock that nothing else speaks against: it is neither counted nor logged. */
const KNOCK = "knock";

/**
 * Listens, and hears each caller's introduction before anything else is read from it. Who is not
 * a known peer of this cluster that calls this node is closed; callers that speak the protocol
 * are told why.
 */
export class Acceptor {
  readonly #node: TcpNode;
  readonly #linkOf: (peer: string) => PeerLink | undefined;
  readonly #refusals: RefusalLog;
  readonly #server: Server;
  readonly #strangers = new Map<PeerSocket, PreambleExchange>();
  #gate: TlsGate | undefined;

  constructor(node: TcpNode, linkOf: (peer: string) => PeerLink | undefined) {
    this.#node = node;
    this.#linkOf = linkOf;
    this.#refusals = new RefusalLog(node.environment, node.observer);
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS },
      (socket) => {
        if (this.#gate === undefined) this.#greet(socket);
        else this.#gate.admit(socket);
      },
    );
  }

  /** Rejects with `PORT_IN_USE`. Afterwards `onFailed` is called if the listening socket dies. */
  listen(address: SocketAddress, onFailed: (error: Error) => void): Promise<void> {
    this.#gate = this.#newGate();
    return new Promise((resolve, reject) => {
      let isListening = false;
      this.#server.on("error", (error: NodeJS.ErrnoException) => {
        if (!isListening) reject(cannotListen(address, error));
        else if (error.syscall === "accept") this.#refusals.note("accept", error.message);
        else onFailed(error);
      });
      this.#server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
        isListening = true;
        resolve();
      });
    });
  }

  /** Accepts nobody any more; `closed` settles once every accepted socket is gone, too. */
  close(): Promise<void> {
    this.#gate?.close();
    for (const [socket, exchange] of this.#strangers) {
      exchange.cancel();
      socket.destroy();
    }
    this.#strangers.clear();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #newGate(): TlsGate | undefined {
    const { tls, environment, settings } = this.#node;
    if (tls === undefined) return undefined;
    return new TlsGate(tls, environment, settings.connectTimeoutMs, MAX_STRANGERS, {
      onCaller: (socket) => this.#greet(socket),
      onRefused: (fault, reason, remoteAddress) => {
        // A lost caller is a port scan or a health check: counted, not worth a line.
        this.#refusals.note(fault, fault === "lost" ? undefined : reason, remoteAddress);
      },
    });
  }

  #greet(socket: Socket): void {
    if (this.#strangers.size >= MAX_STRANGERS) this.#dropOldestStranger();
    const stranger = new PeerSocket(socket);
    const { environment, settings } = this.#node;
    const exchange = new PreambleExchange(stranger, environment, settings.connectTimeoutMs, {
      onPreamble: (preamble, rest) => {
        this.#strangers.delete(stranger);
        this.#answer(stranger, preamble, rest);
      },
      onFault: (fault, reason) => {
        this.#strangers.delete(stranger);
        // A lost stranger is a port scan or a health check: counted, not worth a line.
        this.#refusals.note(fault, fault === "lost" ? undefined : reason, socket.remoteAddress);
        // Who speaks another version of this protocol is told so; who does not speak it is not.
        if (fault === "version") stranger.destroyAfter(refusal(reason));
        else stranger.destroy();
      },
    });
    this.#strangers.set(stranger, exchange);
  }

  #answer(socket: PeerSocket, preamble: Preamble, rest: Uint8Array): void {
    if (preamble.kind !== "call" && preamble.kind !== "knock") {
      this.#refusals.note("malformed", `a ${preamble.kind} instead of a call`);
      socket.destroy();
      return;
    }
    const objection =
      this.#objectionTo(preamble, socket.socket) ??
      (preamble.kind === "knock"
        ? this.#answerKnock(preamble)
        : this.#linkOf(preamble.from)?.accept(preamble));
    if (objection !== undefined) {
      const { fault, reason, denial } = objection;
      if (fault !== KNOCK) this.#refusals.note(fault, reason, socket.socket.remoteAddress);
      socket.destroyAfter(
        denial === undefined ? refusal(reason) : encodePreamble({ kind: "denial", denial, reason }),
      );
      return;
    }
    socket.socket.write(
      encodePreamble({
        kind: "welcome",
        lane: preamble.lane,
        nonce: this.#node.nonce,
        attempt: preamble.attempt,
        cluster: this.#node.cluster,
        from: this.#node.self,
        to: preamble.from,
      }),
    );
    this.#linkOf(preamble.from)?.join(preamble, socket, rest);
  }

  /** Whoever knocks is never let in, but told whether another process was. */
  #answerKnock(knock: Introduction): Objection {
    const nobody = `no other process is connected as ${knock.from}`;
    return this.#linkOf(knock.from)?.objectionTo(knock) ?? { fault: KNOCK, reason: nobody };
  }

  #objectionTo(call: Preamble & Introduction, socket: Socket): Objection | undefined {
    const { self, cluster, tls } = this.#node;
    if (tls !== undefined && !isCertified(socket, call.from)) {
      return { fault: "certificate", reason: `the caller's certificate is not of ${call.from}` };
    }
    if (call.cluster !== cluster) {
      return {
        fault: "cluster",
        reason: `${self} belongs to the cluster "${cluster}", not to "${call.cluster}"`,
      };
    }
    if (call.to !== self) return { fault: "recipient", reason: `this is ${self}, not ${call.to}` };
    if (call.from === self) return { fault: "sender", reason: `${self} is this node itself` };
    if (this.#linkOf(call.from) === undefined) {
      return { fault: "sender", reason: `${self} knows no node ${call.from}` };
    }
    const [lower, higher] = self < call.from ? [self, call.from] : [call.from, self];
    if (call.from > self !== (call.kind === "knock")) {
      return { fault: "direction", reason: `${lower} dials ${higher}, not the other way round` };
    }
    return undefined;
  }

  #dropOldestStranger(): void {
    for (const [socket, exchange] of this.#strangers) {
      this.#strangers.delete(socket);
      exchange.cancel();
      socket.destroy();
      this.#refusals.note(
        "crowded",
        `more than ${MAX_STRANGERS} callers do not introduce themselves`,
      );
      return;
    }
  }
}

/** Why a caller is not let in. `fault` is the label that is counted. */
export interface Objection {
  readonly fault: string;
  readonly reason: string;
  /** Another process is connected under the caller's id. */
  readonly denial?: Denial;
}

function refusal(reason: string): Uint8Array {
  return encodePreamble({ kind: "refusal", reason });
}

function cannotListen(address: SocketAddress, error: NodeJS.ErrnoException): CapstanError {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  const why =
    error.code === "EADDRINUSE" ? "another process listens there" : (error.code ?? error.message);
  return new CapstanError(
    "PORT_IN_USE",
    `cannot listen on ${host}:${address.port} for peers: ${why}`,
    { cause: error, details: { address: `${host}:${address.port}`, code: error.code } },
  );
}
