import type { TimerHandle } from "../../core/contracts/environment.ts";
import { LANES, type Lane, type SendResult } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Flushable } from "./flush-scheduler.ts";
import { LaneConnection, type LaneListener } from "./lane-connection.ts";
import type { PeerSocket } from "./peer-socket.ts";
import type { TcpNode } from "./tcp-node.ts";

/** A session without a frame for this share of the stall timeout may be dead: 2.5 s by default. */
export const SILENCE_SHARE = 0.25;

/** So often within `silenceMs` it is looked at whether anything has come. */
const CHECKS_PER_SILENCE = 4;

/** What a session tells its link; nothing after `destroy`. */
export interface SessionListener {
  /** All lanes stand: `activate` it. */
  onComplete(session: PeerSession): void;
  /** It is destroyed. */
  onDown(session: PeerSession, reason: string): void;
}

/**
 * The lanes of one attempt between two processes. They stand and fall together: a session is open
 * once all lanes are up, and down as soon as one breaks.
 */
export class PeerSession implements LaneListener, Flushable {
  readonly peer: NodeId;
  /** Of the process that dialed. */
  readonly nonce: string;
  readonly attempt: number;
  /** The nonce of the process at the other end; undefined until one has welcomed us. */
  process: string | undefined;
  /** A frame came since somebody last asked for it. */
  #heard = true;
  #silentSinceMs = 0;
  readonly #node: TcpNode;
  readonly #listener: SessionListener;
  #control: LaneConnection | undefined;
  #log: LaneConnection | undefined;
  #bulk: LaneConnection | undefined;
  #state: "building" | "complete" | "open" | "ending" | "finishing" | "down" = "building";
  #dirty = false;
  #ended = 0;
  #timer: TimerHandle | undefined;
  #silenceTimer: TimerHandle | undefined;
  /** Looks in a row at which nothing had come. */
  #quietChecks = 0;

  constructor(
    node: TcpNode,
    peer: NodeId,
    nonce: string,
    attempt: number,
    listener: SessionListener,
  ) {
    this.#node = node;
    this.peer = peer;
    this.nonce = nonce;
    this.attempt = attempt;
    this.#listener = listener;
    const { connectTimeoutMs } = node.settings;
    this.#timer = node.environment.setTimer(connectTimeoutMs, () => {
      this.#fail(`not connected on all lanes within ${connectTimeoutMs} ms`);
    });
  }

  get isDown(): boolean {
    return this.#state === "down";
  }

  /**
   * Whether frames still came lately, as far as those who ask can tell: the clock of the silence
   * starts with a question, because one per frame would cost every frame.
   */
  isHeard(): boolean {
    const nowMs = this.#node.environment.monotonicMs();
    if (this.#heard) {
      this.#heard = false;
      this.#silentSinceMs = nowMs;
      return true;
    }
    return nowMs - this.#silentSinceMs < this.#node.settings.stallTimeoutMs * SILENCE_SHARE;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes()) bytes += lane.writer.bufferedBytes;
    return bytes;
  }

  has(lane: Lane): boolean {
    return this.#connection(lane) !== undefined;
  }

  /** Takes over an introduced socket. `rest` came behind the introduction. */
  add(lane: Lane, socket: PeerSocket, rest: Uint8Array): void {
    const { environment, limits } = this.#node;
    const connection = new LaneConnection(lane, socket, rest, environment, limits, this);
    if (lane === "control") this.#control = connection;
    else if (lane === "log") this.#log = connection;
    else this.#bulk = connection;
    if (!LANES.every((each) => this.has(each))) return;
    this.#state = "complete";
    this.#clearTimer();
    this.#listener.onComplete(this);
  }

  /** Opens the session, announces it, and only then reads from it. */
  activate(announce: () => void): void {
    if (this.#state !== "complete") return;
    this.#state = "open";
    announce();
    for (const lane of this.#lanes()) if (!this.isDown) lane.activate();
    if (!this.isDown) this.#listen();
  }

  send(frame: Uint8Array, lane: Lane): SendResult {
    if (this.#state !== "open") return "disconnected";
    if (this.#connection(lane)?.writer.append(frame) !== true) return "saturated";
    if (!this.#dirty) {
      this.#dirty = true;
      this.#node.scheduler.add(this);
    }
    return "accepted";
  }

  flush(): boolean {
    this.#dirty = false;
    const control = this.#control?.writer.flush() ?? false;
    const log = this.#log?.writer.flush() ?? false;
    const bulk = this.#bulk?.writer.flush() ?? false;
    return control || log || bulk;
  }

  checkProgress(nowMs: number): boolean {
    const { stallTimeoutMs } = this.#node.settings;
    for (const { lane, writer } of this.#lanes()) {
      if (!writer.isStalled(nowMs, stallTimeoutMs)) continue;
      this.#node.observer.count("transport_stalls", 1, { peer: this.peer, lane });
      this.#fail(`the peer took nothing on lane ${lane} for ${stallTimeoutMs} ms`);
      return false;
    }
    return this.bufferedBytes > 0;
  }

  /** Lets leave what was accepted, then closes; `onFinished` once the peer has closed too. */
  finish(onFinished: () => void): void {
    if (this.#state !== "open") {
      this.destroy();
      onFinished();
      return;
    }
    this.#state = "finishing";
    const lanes = this.#lanes();
    let left = lanes.length;
    for (const lane of lanes) {
      lane.finish(() => {
        left -= 1;
        if (left === 0) onFinished();
      });
    }
  }

  /** Without a word to the listener. Idempotent. */
  destroy(): void {
    this.#state = "down";
    this.#clearTimer();
    for (const lane of this.#lanes()) lane.destroy();
  }

  onFrame(frame: Uint8Array, lane: Lane): void {
    this.#heard = true;
    this.#node.handlers?.onFrame(this.peer, frame, lane);
  }

  onWritable(lane: Lane): void {
    if (this.#state === "open") this.#node.handlers?.onWritable(this.peer, lane);
  }

  onLaneEnded(): void {
    this.#ended += 1;
    if (this.#ended === LANES.length) {
      this.#fail("closed by the peer");
    } else if (this.#state === "open") {
      // The other lanes bring what is still on its way: the peer closed them in order, too.
      this.#state = "ending";
      this.#timer = this.#node.environment.setTimer(this.#node.settings.stallTimeoutMs, () => {
        this.#fail("closed by the peer, but not on all lanes");
      });
    }
  }

  onLaneBroken(reason: string): void {
    this.#fail(reason);
  }

  onMalformed(reason: string): void {
    this.#node.observer.count("transport_malformed_frames", 1, { peer: this.peer });
    this.#fail(reason);
  }

  #fail(reason: string): void {
    if (this.isDown) return;
    this.destroy();
    this.#listener.onDown(this, reason);
  }

  /**
   * Ends the session once nothing has come for `silenceMs`. The system takes what is sent to a peer that
   * is gone, or behind a firewall that has forgotten the connection, and says nothing for a quarter of an
   * hour; and after a cut it tries again minutes later, where a new connection is made in a second.
   */
  #listen(): void {
    const { environment, silenceMs } = this.#node;
    if (silenceMs === undefined) return;
    const intervalMs = silenceMs / CHECKS_PER_SILENCE;
    const dueMs = environment.monotonicMs() + intervalMs;
    this.#silenceTimer = environment.setTimer(intervalMs, () => {
      if (this.#state !== "open") return;
      // What came while this node stood still has not been read yet.
      const isLate = environment.monotonicMs() - dueMs > intervalMs;
      const hasHeard = this.#lanes().some((lane) => lane.hasHeard);
      for (const lane of this.#lanes()) lane.hasHeard = false;
      this.#quietChecks = isLate || hasHeard ? 0 : this.#quietChecks + 1;
      if (this.#quietChecks < CHECKS_PER_SILENCE) return this.#listen();
      this.#node.observer.count("transport_silences", 1, { peer: this.peer });
      this.#fail(`nothing came from the peer for ${silenceMs} ms`);
    });
  }

  #clearTimer(): void {
    const { environment } = this.#node;
    if (this.#timer !== undefined) environment.clearTimer(this.#timer);
    if (this.#silenceTimer !== undefined) environment.clearTimer(this.#silenceTimer);
    this.#timer = undefined;
    this.#silenceTimer = undefined;
  }

  #connection(lane: Lane): LaneConnection | undefined {
    if (lane === "control") return this.#control;
    return lane === "log" ? this.#log : this.#bulk;
  }

  #lanes(): LaneConnection[] {
    return [this.#control, this.#log, this.#bulk].filter((lane) => lane !== undefined);
  }
}
