import type { MessageCodec } from "../../contracts/machine.ts";
import type { Lane } from "../../contracts/transport.ts";
import { ByteWriter } from "../../model/bytes.ts";
import {
  FRAME_HEADER_BYTES,
  patchFrameSequence,
  patchMessageLength,
  writeFrameHeader,
  writeMessageHeader,
} from "../../model/frames.ts";
import type { NodeId } from "../../model/ids.ts";
import type { MessageAddress, QueueResult } from "../seams.ts";
import type { FilteredTransport } from "./filtered-transport.ts";

/** A writer that one big message has blown up is not kept. */
const WRITER_KEEP_BYTES = 2 * 1024 * 1024;

/** What a codec may add to a message: see `MessageCodec.addTo`. */
const MAX_ADDED_BYTES = 64;

export interface FrameLimits {
  /**
   * The first frame of a turn is handed over before it grows beyond this, so that the peer works
   * on it while this node goes on; each further one may have twice the length of the one before.
   */
  readonly firstBytes: number;
  /** No frame grows beyond this, unless one message alone does. */
  readonly targetBytes: number;
  readonly maxBytes: number;
}

/** Session tags that go into every frame of one open session. */
export interface SessionTags {
  readonly cluster: number;
  readonly sender: number;
  readonly receiver: number;
}

/**
 * What waits for one peer on one lane: an open frame into which messages are encoded in place, and
 * whole frames that the transport was too full for. Once `#waiting` is not empty the lane is
 * blocked, and order is kept: nothing passes by what waits.
 */
export class LaneQueue {
  readonly #wire: FilteredTransport;
  readonly #peer: NodeId;
  readonly #lane: Lane;
  readonly #limits: FrameLimits;
  #writer = new ByteWriter();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #blocked = false;
  /** The open frame is handed over before it grows beyond this. */
  #goalBytes: number;
  /** Never begun anew: a session that is opened again is still the same one to the peer. */
  #sequence = 0;
  /** The message at the end of the open frame, where others may be added to it, and its header. */
  #last: unknown;
  #lastStart = 0;
  #lastKeyspace = 0;

  constructor(wire: FilteredTransport, peer: NodeId, lane: Lane, limits: FrameLimits) {
    this.#wire = wire;
    this.#peer = peer;
    this.#lane = lane;
    this.#limits = limits;
    this.#goalBytes = limits.firstBytes;
  }

  get bytes(): number {
    return this.#writer.length + this.#waitingBytes;
  }

  /**
   * `room`: bytes that may still be queued; a message beyond it is not taken. Throws RangeError
   * for a message that no frame can hold, and what the codec throws; nothing is queued then.
   */
  add<Message>(
    tags: SessionTags,
    room: number,
    address: MessageAddress,
    codec: MessageCodec<Message>,
    message: Message,
  ): QueueResult {
    if (this.#maybeAddToLast(room, address, codec, message)) return "queued";
    const writer = this.#writer;
    const before = writer.length;
    if (before === 0) {
      writeFrameHeader(writer, "messages", tags.cluster, tags.sender, tags.receiver);
    }
    const start = writer.length;
    try {
      writeMessageHeader(writer, address.role, address.keyspaceHash, address.shardIndex);
      codec.encode(message, writer);
    } catch (error) {
      writer.rewind(before);
      throw error;
    }
    patchMessageLength(writer, start);
    const size = writer.length - start;
    if (size > room) {
      writer.rewind(before);
      return "saturated";
    }
    if (writer.length > this.#goalBytes) this.#split(before, start, size);
    else if (codec.addTo !== undefined && address.role === "coordinator") {
      this.#last = message;
      this.#lastStart = start;
      this.#lastKeyspace = address.keyspaceHash;
    } else this.#last = undefined;
    return "queued";
  }

  /** What many answers say alike is one message: its receiver takes one step for all of them. */
  #maybeAddToLast<Message>(
    room: number,
    { role, keyspaceHash }: MessageAddress,
    codec: MessageCodec<Message>,
    message: Message,
  ): boolean {
    const last = this.#last as Message | undefined;
    if (last === undefined || codec.addTo === undefined) return false;
    if (role !== "coordinator" || keyspaceHash !== this.#lastKeyspace) return false;
    const writer = this.#writer;
    if (room < MAX_ADDED_BYTES || writer.length + MAX_ADDED_BYTES > this.#goalBytes) return false;
    if (!codec.addTo(last, message, writer)) return false;
    patchMessageLength(writer, this.#lastStart);
    return true;
  }

  flush(): void {
    this.#goalBytes = this.#limits.firstBytes;
    if (this.#blocked || this.#writer.length === 0) return;
    this.#handOver();
    this.#resetWriter();
  }

  /** The transport takes frames again. */
  onWritable(): void {
    this.#blocked = false;
    let sent = 0;
    for (const frame of this.#waiting) {
      if (this.#wire.send(this.#peer, frame, this.#lane) === "saturated") {
        this.#blocked = true;
        break;
      }
      this.#waitingBytes -= frame.length;
      sent += 1;
    }
    this.#waiting.splice(0, sent);
    this.flush();
  }

  /** Forgets everything: the session that it was meant for is over. */
  drop(): void {
    this.#resetWriter();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#blocked = false;
  }

  /** The message at `start` made the frame too long: what stands before it goes ahead. */
  #split(before: number, start: number, size: number): void {
    const writer = this.#writer;
    if (FRAME_HEADER_BYTES + size > this.#limits.maxBytes) {
      writer.rewind(before);
      throw new RangeError(
        `a message of ${size} bytes; a frame of this transport holds ${this.#limits.maxBytes - FRAME_HEADER_BYTES}`,
      );
    }
    if (start === FRAME_HEADER_BYTES) {
      // It is all there is, and enough for the peer to begin on.
      if (!this.#blocked) this.#leave();
      return;
    }
    const message = writer.copy(start);
    writer.rewind(start);
    this.#handOver();
    this.#raiseGoal();
    writer.rewind(FRAME_HEADER_BYTES);
    writer.raw(message);
  }

  #leave(): void {
    this.#handOver();
    this.#raiseGoal();
    this.#resetWriter();
  }

  #raiseGoal(): void {
    this.#goalBytes = Math.min(2 * this.#goalBytes, this.#limits.targetBytes);
  }

  /** The frame is borrowed from the writer: what has to wait is copied. */
  #handOver(): void {
    this.#last = undefined;
    this.#sequence = (this.#sequence + 1) >>> 0;
    patchFrameSequence(this.#writer, this.#sequence);
    const frame = this.#writer.view();
    if (!this.#blocked && this.#wire.send(this.#peer, frame, this.#lane) !== "saturated") return;
    // A frame for a peer that is gone is lost, as any frame may be: `onPeer` says the rest.
    this.#blocked = true;
    this.#waiting.push(Buffer.from(frame));
    this.#waitingBytes += frame.length;
  }

  #resetWriter(): void {
    this.#last = undefined;
    if (this.#writer.length > WRITER_KEEP_BYTES) this.#writer = new ByteWriter();
    else this.#writer.reset();
  }
}
