import type { Environment } from "../../core/contracts/environment.ts";
import type { Lane } from "../../core/contracts/transport.ts";
import { FrameReader } from "./frame-reader.ts";
import { LaneWriter } from "./lane-writer.ts";
import type { PeerSocket, SocketOwner } from "./peer-socket.ts";

/** What a lane tells its session. Nothing is told after `destroy`. */
export interface LaneListener {
  onFrame(frame: Uint8Array, lane: Lane): void;
  onWritable(lane: Lane): void;
  /** The peer has sent its last frame on this lane and closed it in order. */
  onLaneEnded(): void;
  onLaneBroken(reason: string): void;
  onMalformed(reason: string): void;
}

export interface LaneLimits {
  readonly maxFrameBytes: number;
  readonly maxBufferedBytes: number;
}

/**
 * One connection to one peer for one lane, after the introduction. It reads nothing until
 * `activate`: frames must not come before the peer is announced.
 */
export class LaneConnection implements SocketOwner {
  readonly lane: Lane;
  readonly writer: LaneWriter;
  /** Bytes have come since whoever asks has set it back: of a frame, too, that is not whole. */
  hasHeard = true;
  readonly #socket: PeerSocket;
  readonly #listener: LaneListener;
  readonly #reader: FrameReader;
  #rest: Uint8Array;
  #state: "waiting" | "active" | "finishing" | "ended" | "destroyed" = "waiting";
  #onFinished: (() => void) | undefined;

  constructor(
    lane: Lane,
    socket: PeerSocket,
    rest: Uint8Array,
    environment: Environment,
    limits: LaneLimits,
    listener: LaneListener,
  ) {
    this.lane = lane;
    this.#socket = socket;
    this.#rest = rest;
    this.#listener = listener;
    this.#reader = new FrameReader(limits.maxFrameBytes, (frame) => {
      listener.onFrame(frame, lane);
      return this.#state === "active";
    });
    this.writer = new LaneWriter(socket.socket, environment, limits.maxBufferedBytes, () => {
      if (this.#state === "active") listener.onWritable(lane);
    });
    socket.owner = this;
  }

  activate(): void {
    if (this.#state !== "waiting") return;
    this.#state = "active";
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    if (rest.length > 0) this.onChunk(rest);
    this.#resume();
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#state !== "active") return;
    this.hasHeard = true;
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.#listener.onMalformed(fault);
  }

  onEnd(): void {
    if (this.#state !== "active") return;
    this.#state = "ended";
    this.#listener.onLaneEnded();
  }

  onClosed(reason: string): void {
    const state = this.#state;
    this.destroy();
    if (state === "waiting" || state === "active") this.#listener.onLaneBroken(reason);
    this.#onFinished?.();
  }

  /** Sends what was accepted and then closes; `onFinished` once the peer has closed too. */
  finish(onFinished: () => void): void {
    if (this.#state === "destroyed") {
      onFinished();
      return;
    }
    this.#state = "finishing";
    this.#onFinished = onFinished;
    this.writer.finish();
    // What still comes must be read to its end, or the peer would get a reset instead of our frames.
    this.#resume();
  }

  destroy(): void {
    this.#state = "destroyed";
    this.writer.destroy();
    this.#socket.destroy();
  }

  #resume(): void {
    if (this.#state !== "destroyed") this.#socket.socket.resume();
  }
}
