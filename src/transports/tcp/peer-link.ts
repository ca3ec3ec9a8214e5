import type { TimerHandle } from "../../core/contracts/environment.ts";
import type { Denial, Lane, SendResult } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Objection } from "./acceptor.ts";
import { Backoff } from "./backoff.ts";
import { DialAttempt } from "./dial-attempt.ts";
import { Knock } from "./knock.ts";
import { PeerSession, type SessionListener, SILENCE_SHARE } from "./peer-session.ts";
import type { PeerSocket } from "./peer-socket.ts";
import type { Introduction } from "./preamble.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";

/** A session that lasted so long shows that the peer is well: the next loss is a new story. */
const STABLE_MS = 1_000;

/** Whoever is not dialed asks why so often. */
const KNOCK_EVERY_MS = 1_000;

/**
 * All that this node has with one named peer: at most one open session, at most one that is being
 * built, and, if this node has the smaller id, the dialing, which never ends.
 *
 * A new session replaces the open one only once it is complete: the peer's process restarted, or
 * lost a connection that still looks alive from here. Another process under the same id does not
 * as long as frames of the first one come: otherwise the two would take the link from each other,
 * in turn, and neither would be reached. It is told so, when it dials, or when it asks because it
 * is not dialed; and it does not slip in where the first one loses its connection for a moment.
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
  #knocking: Knock | undefined;
  #knockTimer: TimerHandle | undefined;
  #isDenied = false;
  /** The process that was refused last, as another one was connected. */
  #refused: string | undefined;
  /** The process whose connection was lost last, and when. */
  #lost: { readonly process: string | undefined; readonly atMs: number } | undefined;
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

  /** Dials if that is this node's part; else waits to be dialed, and asks if it is not. */
  start(): void {
    if (this.#closed) return;
    if (this.#node.self > this.peer) this.#waitToKnock();
    else this.#dial();
  }

  #dial(): void {
    this.#attempt += 1;
    const session = this.#newSession(this.#node.nonce, this.#attempt);
    this.#dialing = new DialAttempt(this.#node, this.address, session, (reason, denial) => {
      session.destroy();
      this.onDown(session, reason);
      this.#noteDenial(denial);
    });
  }

  /** Whether a lane of this call may join; the acceptor welcomes it in between. */
  accept(call: Introduction): Objection | undefined {
    const objection = this.objectionTo(call);
    if (objection !== undefined) return objection;
    for (const session of [this.#open, this.#building]) {
      if (session === undefined || session.nonce !== call.nonce) continue;
      if (call.attempt < session.attempt) return stale(call, "a later attempt was made");
      if (call.attempt === session.attempt && session.has(call.lane)) {
        return stale(call, "the lane is taken");
      }
    }
    return undefined;
  }

  /** Another process than the caller is connected, and is still heard. */
  objectionTo(call: Introduction): Objection | undefined {
    const open = this.#open;
    if (open === undefined) return this.#isToWait(call) ? wasConnected(this.peer) : undefined;
    if (open.process === call.nonce || !open.isHeard()) return undefined;
    const reason = `another process is connected as ${this.peer}, and is still heard`;
    this.#refused = call.nonce;
    const denial = this.#node.handlers?.onClaim?.(this.peer, call.nonce) ?? "identity-taken";
    return { fault: "identity", reason, denial };
  }

  #isToWait({ nonce }: Introduction): boolean {
    if (this.#lost === undefined || nonce !== this.#refused || nonce === this.#lost.process) {
      return false;
    }
    const { environment, settings } = this.#node;
    const lostMs = environment.monotonicMs() - this.#lost.atMs;
    return lostMs < settings.stallTimeoutMs * SILENCE_SHARE;
  }

  join(call: Introduction, socket: PeerSocket, rest: Uint8Array): void {
    const building = this.#building;
    if (building?.nonce === call.nonce && building.attempt === call.attempt) {
      building.add(call.lane, socket, rest);
    } else {
      building?.destroy();
      const session = this.#newSession(call.nonce, call.attempt);
      session.process = call.nonce;
      session.add(call.lane, socket, rest);
    }
  }

  onComplete(session: PeerSession): void {
    const replaced = this.#open;
    replaced?.destroy();
    this.#building = undefined;
    this.#dialing = undefined;
    this.#stopKnocking();
    this.#isDenied = false;
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
      this.#lost = { process: session.process, atMs: this.#node.environment.monotonicMs() };
      this.#node.observer.count("transport_disconnections", 1, { peer: this.peer });
      this.#redial(reason);
      if (this.#node.self > this.peer) this.#waitToKnock();
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
      this.#dial();
    });
  }

  #waitToKnock(): void {
    if (this.#closed || this.#knockTimer !== undefined || this.#knocking !== undefined) return;
    const { environment, random } = this.#node;
    const delayMs = KNOCK_EVERY_MS * (0.5 + random.fraction() / 2);
    this.#knockTimer = environment.setTimer(delayMs, () => {
      this.#knockTimer = undefined;
      this.#knocking = new Knock(this.#node, this.peer, this.address, (denial) => {
        this.#knocking = undefined;
        this.#waitToKnock();
        this.#noteDenial(denial);
      });
    });
  }

  #stopKnocking(): void {
    if (this.#knockTimer !== undefined) this.#node.environment.clearTimer(this.#knockTimer);
    this.#knockTimer = undefined;
    this.#knocking?.cancel();
    this.#knocking = undefined;
  }

  /** What the last attempt, or question, has brought. */
  #noteDenial(denial: Denial | undefined): void {
    if (denial === undefined && !this.#isDenied) return;
    this.#isDenied = denial !== undefined;
    this.#node.handlers?.onDenied?.(this.peer, denial);
  }

  #stopDialing(): void {
    this.#closed = true;
    this.#stopKnocking();
    if (this.#redialTimer !== undefined) this.#node.environment.clearTimer(this.#redialTimer);
    this.#redialTimer = undefined;
    this.#dialing?.cancel();
    this.#dialing = undefined;
    this.#building?.destroy();
    this.#building = undefined;
  }
}

function wasConnected(peer: NodeId): Objection {
  const reason = `another process was connected as ${peer}, and may come back`;
  return { fault: "identity", reason, denial: "identity-taken" };
}

function stale(call: Introduction, why: string): Objection {
  return {
    fault: "stale",
    reason: `attempt ${call.attempt} of ${call.from}, lane ${call.lane}: ${why}`,
  };
}
