import { NO_FRAME, PREFIX_BYTES, readU32 } from "./wire.ts";

/** Before the second message of a frame has come, its length is only what somebody says. */
const FIRST_BUFFER_BYTES = 64 * 1024;

/**
 * The receiving half of one lane from one peer. A frame within one message is handed over as a view
 * of it; one in several messages is put together, which needs every byte of it in order: whatever
 * is missing, the frame is dropped and the next one found by `firstFrameAt`.
 *
 * Bound: one frame that is not whole, its buffer at most twice what has come of it.
 */
export class IncomingStream {
  readonly #maxFrameBytes: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  /** Where the next message is to begin. */
  #position = 0;
  /** Whether the next byte is known to be where a frame begins, or goes on. */
  #inStep = true;
  #partial: Uint8Array | undefined;
  #partialLength = 0;
  #filled = 0;
  #filledBefore = 0;
  #isClosed = false;

  constructor(maxFrameBytes: number, onFrame: (frame: Uint8Array) => void) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#onFrame = onFrame;
  }

  /** Everything before has come, or is lost. */
  get position(): number {
    return this.#position;
  }

  /** Takes a message's bytes; what is wrong with them, or undefined. */
  receive(bytes: Uint8Array, position: number, firstFrameAt: number): string | undefined {
    // Doubled, or overtaken by what came after it.
    if (position < this.#position || this.#isClosed) return undefined;
    if (position > this.#position) this.#loseStep();
    this.#position = position + bytes.length;
    if (bytes.length === 0) return undefined;
    const fault = this.#take(bytes, firstFrameAt);
    if (fault !== undefined) this.#loseStep();
    return fault;
  }

  /** Gives up a frame of which nothing has come since the last call. */
  dropStalled(): void {
    if (this.#partial !== undefined && this.#filled === this.#filledBefore) this.#loseStep();
    this.#filledBefore = this.#filled;
  }

  /** Nothing is handed over any more. */
  close(): void {
    this.#isClosed = true;
    this.#partial = undefined;
  }

  #take(bytes: Uint8Array, firstFrameAt: number): string | undefined {
    let at = 0;
    if (this.#partial !== undefined) {
      const missing = this.#partialLength - this.#filled;
      const expected = missing < bytes.length ? missing : NO_FRAME;
      if (firstFrameAt !== expected) {
        return `a frame begins at ${firstFrameAt} where the one before needs ${missing} bytes`;
      }
      at = Math.min(missing, bytes.length);
      this.#fill(bytes.subarray(0, at));
    } else if (this.#inStep) {
      if (firstFrameAt !== 0) return "bytes before a frame, which belong to none";
    } else {
      if (firstFrameAt === NO_FRAME) return undefined;
      this.#inStep = true;
      at = firstFrameAt;
    }
    return this.#takeFrames(bytes, at);
  }

  #takeFrames(bytes: Uint8Array, from: number): string | undefined {
    let at = from;
    while (at < bytes.length && !this.#isClosed) {
      if (bytes.length - at < PREFIX_BYTES) return "a frame's length that is cut off";
      const length = readU32(bytes, at);
      at += PREFIX_BYTES;
      if (length === 0 || length > this.#maxFrameBytes) {
        return `a frame of ${length} bytes; allowed are 1 to ${this.#maxFrameBytes}`;
      }
      if (bytes.length - at >= length) {
        this.#onFrame(bytes.subarray(at, at + length));
        at += length;
      } else {
        this.#partialLength = length;
        this.#filled = 0;
        this.#partial = new Uint8Array(Math.min(length, FIRST_BUFFER_BYTES));
        this.#fill(bytes.subarray(at));
        return undefined;
      }
    }
    return undefined;
  }

  #fill(bytes: Uint8Array): void {
    const end = this.#filled + bytes.length;
    let partial = this.#partial as Uint8Array;
    if (end > partial.length) {
      const grown = new Uint8Array(Math.min(this.#partialLength, end * 2));
      grown.set(partial.subarray(0, this.#filled));
      partial = grown;
      this.#partial = grown;
    }
    partial.set(bytes, this.#filled);
    this.#filled = end;
    if (end < this.#partialLength) return;
    this.#partial = undefined;
    this.#onFrame(partial);
  }

  #loseStep(): void {
    this.#inStep = false;
    this.#partial = undefined;
  }
}
