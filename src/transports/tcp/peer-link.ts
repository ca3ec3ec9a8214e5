import type { TimerHandle } from "../../core/contracts/environment.ts";
import type { Lane, SendResult } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Objection } from "./acceptor.ts";
import { Backoff } from "./backoff.ts";
import { DialAttempt } from "./dial-attempt.ts";
import { PeerSession, type SessionListener } from "./peer-session.ts";
import type { PeerSocket } from "./peer-socket.ts";
import type { Introduction } from "./preamble.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";

/** A session that lasted so long shows that the peer is well: the next loss is a new story. */
const STABLE_MS = 1_000;

/**
 * All that this node has with one named peer: at most one open session, at most one that is being
 * built, and, if this node has the smaller id, the dialing, which never ends.
 *
 * A new session replaces the open one only once it is complete: the peer's process restarted, or
 * lost a connection that still looks alive from here. Another process under the same id does not
 * as long as frames of the first one come: otherwise the two would take the link from each other,
 * in turn, and neither would be reached.
 */
export class PeerLink implements SessionListener {
  readonly peer: NodeId;
  readonly address: SocketAddress;
  readonly #node: TcpNode;
  readonly #backoff: Backoff;
  #open: PeerSession | undefined;
  #building: PeerSession | undefined;
  #dialing: DialAttempt | undefined;
  #redialTimer: TimerHandle | undefined;
  #attempt = 0;
  #openedAtMs = 0;
  #lastFailure: string | undefined;
  #closed = false;

  constructor(node: TcpNode, peer: NodeId, address: SocketAddress) {
    this.#node = node;
    this.peer = peer;
    this.address = address;
    this.#backoff = new Backoff(node.random);
  }

  get isConnected(): boolean {
    return this.#open !== undefined;
  }

  get bufferedBytes(): number {
    return this.#open?.bufferedBytes ?? 0;
  }

  send(frame: Uint8Array, lane: Lane): SendResult {
    return this.#open === undefined ? "disconnected" : this.#open.send(frame, lane);
  }

  /** Dials if that is this node's part. */
  start(): void {
    if (this.#closed || this.#node.self > this.peer) return;
    this.#attempt += 1;
    const session = this.#newSession(this.#node.nonce, this.#attempt);
    this.#dialing = new DialAttempt(this.#node, this.address, session, (reason) => {
      session.destroy();
      this.onDown(session, reason);
    });
  }

  /** Whether a lane of this call may join; the acceptor welcomes it in between. */
  accept(call: Introduction): Objection | undefined {
    const open = this.#open;
    if (open !== undefined && open.nonce !== call.nonce && open.isHeard()) {
      const reason = `another process is connected as ${this.peer}, and is still heard`;
      return { fault: "identity", reason };
    }
    for (const session of [this.#open, this.#building]) {
      if (session === undefined || session.nonce !== call.nonce) continue;
      if (call.attempt < session.attempt) return stale(call, "a later attempt was made");
      if (call.attempt === session.attempt && session.has(call.lane)) {
        return stale(call, "the lane is taken");
      }
    }
    return undefined;
  }

  join(call: Introduction, socket: PeerSocket, rest: Uint8Array): void {
    const building = this.#building;
    if (building?.nonce === call.nonce && building.attempt === call.attempt) {
      building.add(call.lane, socket, rest);
    } else {
      building?.destroy();
      this.#newSession(call.nonce, call.attempt).add(call.lane, socket, rest);
    }
  }

  onComplete(session: PeerSession): void {
    const replaced = this.#open;
    replaced?.destroy();
    this.#building = undefined;
    this.#dialing = undefined;
    this.#open = session;
    this.#openedAtMs = this.#node.environment.monotonicMs();
    this.#lastFailure = undefined;
    this.#node.observer.count("transport_connections", 1, { peer: this.peer });
    session.activate(() => this.#node.handlers?.onPeer(this.peer, "connected"));
  }

  onDown(session: PeerSession, reason: string): void {
    if (session === this.#building) this.#building = undefined;
    if (session === this.#open) {
      this.#open = undefined;
      this.#node.observer.count("transport_disconnections", 1, { peer: this.peer });
      this.#redial(reason);
      this.#node.handlers?.onPeer(this.peer, "disconnected");
    } else {
      this.#redial(reason);
    }
  }

  /** Lets leave what was accepted; `onFinished` once the peer has taken it. */
  finish(onFinished: () => void): void {
    this.#stopDialing();
    if (this.#open === undefined) onFinished();
    else this.#open.finish(onFinished);
  }

  /** Closes all without telling anybody. Idempotent. */
  destroy(): void {
    this.#stopDialing();
    this.#open?.destroy();
    this.#open = undefined;
  }

  #newSession(nonce: string, attempt: number): PeerSession {
    this.#building = new PeerSession(this.#node, this.peer, nonce, attempt, this);
    return this.#building;
  }

  #redial(reason: string): void {
    const { environment, observer, self } = this.#node;
    this.#dialing?.cancel();
    this.#dialing = undefined;
    // One line for each kind of failure in a row, however often it is tried.
    if (reason !== this.#lastFailure) {
      this.#lastFailure = reason;
      observer.log("warn", "no connection with a peer", { peer: this.peer, reason });
    }
    if (this.#closed || self > this.peer || this.#redialTimer !== undefined) return;
    if (this.#openedAtMs > 0 && environment.monotonicMs() - this.#openedAtMs > STABLE_MS) {
      this.#backoff.reset();
      this.#openedAtMs = 0;
    }
    this.#redialTimer = environment.setTimer(this.#backoff.nextMs(), () => {
      this.#redialTimer = undefined;
      this.start();
    });
  }

  #stopDialing(): void {
    this.#closed = true;
    if (this.#redialTimer !== undefined) this.#node.environment.clearTimer(this.#redialTimer);
    this.#redialTimer = undefined;
    this.#dialing?.cancel();
    this.#dialing = undefined;
    this.#building?.destroy();
    this.#building = undefined;
  }
}

function stale(call: Introduction, why: string): Objection {
  return {
    fault: "stale",
    reason: `attempt ${call.attempt} of ${call.from}, lane ${call.lane}: ${why}`,
  };
}
