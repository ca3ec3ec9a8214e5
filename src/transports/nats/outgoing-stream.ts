import {
  type LinkId,
  NO_FRAME,
  PREFIX_BYTES,
  STREAM_HEADER_BYTES,
  writeStreamHeader,
  writeU32,
} from "./wire.ts";

/** Room for many small messages, so that not each of them is an allocation. */
const SLAB_BYTES = 64 * 1024;
/** An acknowledgement is asked for whenever this share of the window was sent since the last one. */
const ASKING_SHARE = 0.25;

export interface StreamLimits {
  /** Of one message, header included. */
  readonly chunkBytes: number;
  /** What may be under way without an acknowledgement. */
  readonly windowBytes: number;
  /** What may wait here, above which `append` takes nothing. */
  readonly maxBufferedBytes: number;
}

export interface StreamEnds {
  readonly own: LinkId;
  /** Of the peer, as far as it is known now. */
  readonly theirs: LinkId;
}

/** A message that is being filled, or waits: `buffer` from `start` to `end`. */
interface Piece {
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly limit: number;
  readonly position: number;
  end: number;
  firstFrameAt: number;
}

/**
 * The sending half of one lane to one peer: frames are copied behind one another into messages that
 * are published when the turn is over, as far as the window allows. A frame that fits into one
 * message is never cut in two, so that the receiver need not put it together.
 *
 * Invariants: acknowledged ≤ sent ≤ appended; bufferedBytes = appended − sent;
 * sent − acknowledged ≤ windowBytes, or one message.
 */
export class OutgoingStream {
  readonly #limits: StreamLimits;
  readonly #publish: (message: Uint8Array) => void;
  #slab = new Uint8Array(0);
  #used = 0;
  #waiting: Piece[] = [];
  #appended = 0;
  #sent = 0;
  #acknowledged = 0;
  /** Up to here acknowledgements were asked for. */
  #asked = 0;
  #acknowledgedBefore = 0;
  #saturated = false;

  /** `publish` has the message to itself: its bytes do not change any more. */
  constructor(limits: StreamLimits, publish: (message: Uint8Array) => void) {
    this.#limits = limits;
    this.#publish = publish;
  }

  get bufferedBytes(): number {
    return this.#appended - this.#sent;
  }

  /** Everything that was appended has been sent, and is known to have arrived or to be lost. */
  get isSettled(): boolean {
    return this.#acknowledged === this.#appended;
  }

  /** False if the stream is full; one that holds nothing takes any frame. */
  append(frame: Uint8Array): boolean {
    const size = PREFIX_BYTES + frame.length;
    const buffered = this.bufferedBytes;
    if (buffered > 0 && buffered + size > this.#limits.maxBufferedBytes) {
      this.#saturated = true;
      return false;
    }
    let piece = this.#waiting.at(-1);
    if (piece === undefined || piece.limit - piece.end < size) piece = this.#begin(size);
    if (piece.firstFrameAt === NO_FRAME) {
      piece.firstFrameAt = piece.end - piece.start - STREAM_HEADER_BYTES;
    }
    writeU32(piece.buffer, piece.end, frame.length);
    this.#advance(piece, PREFIX_BYTES);
    for (let from = 0; from < frame.length; ) {
      if (piece.end === piece.limit) piece = this.#begin(frame.length - from);
      const length = Math.min(piece.limit - piece.end, frame.length - from);
      piece.buffer.set(frame.subarray(from, from + length), piece.end);
      this.#advance(piece, length);
      from += length;
    }
    return true;
  }

  /** Publishes what the window allows. True if the stream was full and takes frames again. */
  pump(ends: StreamEnds): boolean {
    const { windowBytes, maxBufferedBytes } = this.#limits;
    let published = 0;
    for (const piece of this.#waiting) {
      const length = piece.end - piece.start - STREAM_HEADER_BYTES;
      const underWay = this.#sent - this.#acknowledged;
      if (underWay > 0 && underWay + length > windowBytes) break;
      this.#sent += length;
      published += 1;
      const asking = this.#sent - this.#asked >= windowBytes * ASKING_SHARE;
      if (asking) this.#asked = this.#sent;
      const { position, firstFrameAt, buffer, start, end } = piece;
      writeStreamHeader(buffer, start, ends.own, ends.theirs, { asking, position, firstFrameAt });
      this.#publish(buffer.subarray(start, end));
    }
    if (published === this.#waiting.length) this.#waiting = [];
    else if (published > 0) this.#waiting.splice(0, published);
    if (!this.#saturated || this.bufferedBytes > maxBufferedBytes / 2) return false;
    this.#saturated = false;
    return true;
  }

  /** The peer has everything up to `position`, or will never have it. */
  acknowledge(position: number): void {
    if (position > this.#acknowledged && position <= this.#sent) this.#acknowledged = position;
  }

  /** Asks what has become of what is under way, unless an answer came since the last call. */
  maybeAsk(ends: StreamEnds): void {
    const isStill = this.#acknowledged === this.#acknowledgedBefore;
    this.#acknowledgedBefore = this.#acknowledged;
    if (isStill && this.#acknowledged < this.#sent) this.ask(ends);
  }

  /** A message without bytes, behind all that was sent on its way. */
  ask({ own, theirs }: StreamEnds): void {
    const message = new Uint8Array(STREAM_HEADER_BYTES);
    const piece = { asking: true, position: this.#sent, firstFrameAt: NO_FRAME };
    writeStreamHeader(message, 0, own, theirs, piece);
    this.#asked = this.#sent;
    this.#publish(message);
  }

  #advance(piece: Piece, bytes: number): void {
    piece.end += bytes;
    this.#used = piece.end;
    this.#appended += bytes;
  }

  /** A new message, behind all others, with room for `size` or for as much as a message holds. */
  #begin(size: number): Piece {
    const { chunkBytes } = this.#limits;
    const needed = Math.min(STREAM_HEADER_BYTES + size, chunkBytes);
    if (this.#slab.length - this.#used < needed) {
      this.#slab = new Uint8Array(Math.max(needed, SLAB_BYTES));
      this.#used = 0;
    }
    const start = this.#used;
    const piece: Piece = {
      buffer: this.#slab,
      start,
      limit: Math.min(start + chunkBytes, this.#slab.length),
      position: this.#appended,
      end: start + STREAM_HEADER_BYTES,
      firstFrameAt: NO_FRAME,
    };
    this.#used = piece.end;
    this.#waiting.push(piece);
    return piece;
  }
}
