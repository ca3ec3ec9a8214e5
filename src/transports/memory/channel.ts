import type { Lane } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";

/** What a lane puts before the receiver in one turn, so that control never waits for much more. */
const BYTES_PER_TURN = 64 * 1024;

/** Frames of one lane on their way. Invariant: `bytes` is the sum of what `take` has yet to give. */
class LaneQueue {
  #frames: Uint8Array[] = [];
  #head = 0;
  bytes = 0;
  /** The sender was refused and waits to be told. */
  saturated = false;

  get isEmpty(): boolean {
    return this.#head === this.#frames.length;
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.bytes += frame.length;
  }

  take(): Uint8Array | undefined {
    const frame = this.#frames[this.#head];
    if (frame === undefined) return undefined;
    this.#head += 1;
    this.bytes -= frame.length;
    if (this.isEmpty) this.clear();
    return frame;
  }

  clear(): void {
    this.#frames = [];
    this.#head = 0;
    this.bytes = 0;
  }
}

/** Where a channel's frames come out. */
export interface ChannelReceiver {
  onFrame(from: NodeId, frame: Uint8Array, lane: Lane): void;
}

/** One direction between two nodes that are connected. A new connection is a new channel. */
export class Channel {
  readonly from: NodeId;
  readonly #maxBufferedBytes: number;
  readonly #control = new LaneQueue();
  readonly #log = new LaneQueue();
  readonly #bulk = new LaneQueue();
  #open = true;

  constructor(from: NodeId, maxBufferedBytes: number) {
    this.from = from;
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  get bytes(): number {
    return this.#control.bytes + this.#log.bytes + this.#bulk.bytes;
  }

  /** Copies the frame; false if the lane is full. An empty lane takes any frame. */
  push(frame: Uint8Array, lane: Lane): boolean {
    const queue = this.#queue(lane);
    if (!queue.isEmpty && queue.bytes + frame.length > this.#maxBufferedBytes) {
      queue.saturated = true;
      return false;
    }
    const copy = Buffer.allocUnsafe(frame.length);
    copy.set(frame);
    queue.push(copy);
    return true;
  }

  /** Hands over one turn's worth of the lane. */
  deliver(lane: Lane, receiver: ChannelReceiver): void {
    const queue = this.#queue(lane);
    let delivered = 0;
    // The receiver may close this channel; what is left was lost with it.
    while (this.#open && delivered < BYTES_PER_TURN) {
      const frame = queue.take();
      if (frame === undefined) return;
      delivered += frame.length;
      receiver.onFrame(this.from, frame, lane);
    }
  }

  /** Whether a sender that was refused can be told to go on; at most once per refusal. */
  becameWritable(lane: Lane): boolean {
    const queue = this.#queue(lane);
    if (!queue.saturated || queue.bytes > this.#maxBufferedBytes / 2) return false;
    queue.saturated = false;
    return true;
  }

  close(): void {
    this.#open = false;
    this.#control.clear();
    this.#log.clear();
    this.#bulk.clear();
  }

  #queue(lane: Lane): LaneQueue {
    if (lane === "control") return this.#control;
    return lane === "log" ? this.#log : this.#bulk;
  }
}
