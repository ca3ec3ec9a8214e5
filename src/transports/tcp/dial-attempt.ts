import { type Denial, LANES, type Lane } from "../../core/contracts/transport.ts";
import { dialSocket } from "./dial-socket.ts";
import type { PeerSession } from "./peer-session.ts";
import type { PeerSocket } from "./peer-socket.ts";
import { encodePreamble, type Introduction, type Preamble } from "./preamble.ts";
import { PreambleExchange } from "./preamble-exchange.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";

/** `denial`: the peer is connected with another process of this node's id. */
type OnFailed = (reason: string, denial: Denial | undefined) => void;

/**
 * One attempt to reach a peer: a connection per lane, each introduced and welcomed by one and the
 * same process. All that succeed join the session; the first that fails ends the attempt.
 */
export class DialAttempt {
  readonly #node: TcpNode;
  readonly #session: PeerSession;
  readonly #calls = new Map<PeerSocket, PreambleExchange>();
  readonly #onFailed: OnFailed;

  constructor(node: TcpNode, address: SocketAddress, session: PeerSession, onFailed: OnFailed) {
    this.#node = node;
    this.#session = session;
    this.#onFailed = onFailed;
    for (const lane of LANES) this.#call(address, lane);
  }

  /** Gives up the calls that were not welcomed yet. */
  cancel(): void {
    for (const [socket, exchange] of this.#calls) {
      exchange.cancel();
      socket.destroy();
    }
    this.#calls.clear();
  }

  #call(address: SocketAddress, lane: Lane): void {
    const { environment, settings } = this.#node;
    const hello = encodePreamble({ kind: "call", ...this.#introduction(lane) });
    const socket = dialSocket(this.#node, this.#session.peer, address, hello);
    const exchange = new PreambleExchange(socket, environment, settings.connectTimeoutMs, {
      onPreamble: (preamble, rest) => {
        this.#calls.delete(socket);
        const objection = this.#objectionTo(preamble, lane);
        if (objection === undefined) {
          this.#session.add(lane, socket, rest);
        } else {
          socket.destroy();
          this.#fail(objection, preamble.kind === "denial" ? preamble.denial : undefined);
        }
      },
      onFault: (_fault, reason) => this.#fail(reason),
    });
    this.#calls.set(socket, exchange);
  }

  #introduction(lane: Lane): Introduction {
    const { self, cluster } = this.#node;
    const { nonce, attempt, peer } = this.#session;
    return { lane, nonce, attempt, cluster, from: self, to: peer };
  }

  /** The acceptor must be the node that was dialed, and the same process on every lane. */
  #objectionTo(preamble: Preamble, lane: Lane): string | undefined {
    const { self, cluster } = this.#node;
    if (preamble.kind === "refusal" || preamble.kind === "denial") {
      return `refused: ${preamble.reason}`;
    }
    if (preamble.kind !== "welcome") return "the other end dialed, too: it is no listener";
    if (preamble.cluster !== cluster) return `it belongs to the cluster "${preamble.cluster}"`;
    if (preamble.from !== this.#session.peer) return `it is ${preamble.from}`;
    const isAnswer =
      preamble.to === self && preamble.lane === lane && preamble.attempt === this.#session.attempt;
    if (!isAnswer) return "it answered another call";
    this.#session.process ??= preamble.nonce;
    return this.#session.process === preamble.nonce ? undefined : "it restarted meanwhile";
  }

  #fail(reason: string, denial?: Denial): void {
    this.cancel();
    this.#onFailed(reason, denial);
  }
}
