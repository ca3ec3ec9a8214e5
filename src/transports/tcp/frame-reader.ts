/** Receives frames; a view that is valid until the call returns. False: read no further. */
export type FrameSink = (frame: Uint8Array) => boolean;

const HEADER_BYTES = 4;
/** Kept for the next split frame; what grew beyond is let go. */
const RETAINED_BYTES = 64 * 1024;
/** Memory for a body grows fourfold: at most four times what the peer has really sent. */
const GROWTH = 4;

/**
 * Cuts a stream of bytes into frames (`u32 length | body`). A frame that lies whole in a chunk is
 * handed on as a view of it; one that is split is put together in a buffer that grows with what
 * has arrived, never with what a header merely announces.
 *
 * Invariant: `filled < HEADER_BYTES + size` while a frame is being put together; 0 between frames.
 */
export class FrameReader {
  readonly #maxFrameBytes: number;
  readonly #sink: FrameSink;
  #partial: Buffer = Buffer.alloc(0);
  /** Bytes of the frame under way, its header included, that `#partial` holds. */
  #filled = 0;
  #stopped = false;

  constructor(maxFrameBytes: number, sink: FrameSink) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#sink = sink;
  }

  /** Returns what is wrong with the stream; nothing may be pushed after that. */
  push(chunk: Uint8Array): string | undefined {
    if (this.#stopped) return undefined;
    let at = 0;
    if (this.#filled > 0) {
      at = this.#continue(chunk);
      if (at < 0) return this.#fault();
    }
    const end = chunk.length;
    while (end - at >= HEADER_BYTES && !this.#stopped) {
      const size = readSize(chunk, at);
      if (size === 0 || size > this.#maxFrameBytes) return this.#describe(size);
      const frameEnd = at + HEADER_BYTES + size;
      if (frameEnd > end) break;
      this.#hand(chunk.subarray(at + HEADER_BYTES, frameEnd));
      at = frameEnd;
    }
    if (at < end && !this.#stopped) this.#keep(chunk, at, end);
    return undefined;
  }

  /** Takes what belongs to the frame under way; returns where the next begins, -1 for a fault. */
  #continue(chunk: Uint8Array): number {
    let at = 0;
    if (this.#filled < HEADER_BYTES) {
      at = Math.min(HEADER_BYTES - this.#filled, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#filled < HEADER_BYTES) return at;
    }
    const size = readSize(this.#partial, 0);
    if (size === 0 || size > this.#maxFrameBytes) return -1;
    const whole = HEADER_BYTES + size;
    const end = Math.min(at + whole - this.#filled, chunk.length);
    this.#keep(chunk, at, end, whole);
    if (this.#filled < whole) return end;
    const frame = this.#partial.subarray(HEADER_BYTES, whole);
    this.#filled = 0;
    if (this.#partial.length > RETAINED_BYTES) this.#partial = Buffer.alloc(0);
    this.#hand(frame);
    return end;
  }

  #keep(chunk: Uint8Array, from: number, to: number, whole = this.#maxFrameBytes): void {
    const needed = this.#filled + to - from;
    if (needed > this.#partial.length) {
      const wanted = Math.max(needed * GROWTH, RETAINED_BYTES);
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(wanted, whole)));
      this.#partial.copy(grown, 0, 0, this.#filled);
      this.#partial = grown;
    }
    this.#partial.set(
      from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to),
      this.#filled,
    );
    this.#filled = needed;
  }

  #hand(frame: Uint8Array): void {
    if (!this.#sink(frame)) this.#stopped = true;
  }

  #fault(): string {
    return this.#describe(readSize(this.#partial, 0));
  }

  #describe(size: number): string {
    this.#stopped = true;
    return `a frame of ${size} bytes was announced; allowed are 1 to ${this.#maxFrameBytes}`;
  }
}

function readSize(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}
