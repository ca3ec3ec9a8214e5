import type { Socket } from "node:net";
import type { Environment } from "../../core/contracts/environment.ts";

const HEADER_BYTES = 4;
/** As much is written at once: the peer works on it while the turn goes on. */
const EARLY_BYTES = 4 * 1024;
const FIRST_BUFFER_BYTES = 16 * 1024;
/** A larger buffer is let go once it is empty. */
const RETAINED_BYTES = 1024 * 1024;
/** One write at the most, so that a slow link shows progress and a stalled one shows none. */
const SLICE_BYTES = 256 * 1024;

/**
 * The sending half of one lane: small frames are copied behind one another, and a flush gives the
 * whole run to the socket in one write. Two buffers: while the kernel has not taken all of one, frames
 * gather in the other.
 *
 * Invariants: bufferedBytes = gathered + (leavingEnd − leavingFrom); leavingFrom < leavingEnd iff
 * a write is under way.
 */
export class LaneWriter {
  readonly #socket: Socket;
  readonly #environment: Environment;
  readonly #maxBufferedBytes: number;
  readonly #onWritable: () => void;
  readonly #onWritten = (): void => this.#continue();
  #gathering: Buffer = Buffer.alloc(0);
  #gathered = 0;
  #leaving: Buffer = Buffer.alloc(0);
  #leavingFrom = 0;
  #leavingEnd = 0;
  #sliceEnd = 0;
  #saturated = false;
  #lastProgressMs = 0;
  #finishing = false;
  #destroyed = false;

  constructor(
    socket: Socket,
    environment: Environment,
    maxBufferedBytes: number,
    onWritable: () => void,
  ) {
    this.#socket = socket;
    this.#environment = environment;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#onWritable = onWritable;
  }

  /** Bytes, headers included, that the kernel has not taken. */
  get bufferedBytes(): number {
    return this.#gathered + this.#leavingEnd - this.#leavingFrom;
  }

  /** False if the lane is full; a lane that holds nothing takes any frame. */
  append(frame: Uint8Array): boolean {
    const length = frame.length;
    const buffered = this.bufferedBytes;
    if (buffered > 0 && buffered + length > this.#maxBufferedBytes) {
      this.#saturated = true;
      return false;
    }
    const at = this.#gathered;
    const end = at + HEADER_BYTES + length;
    if (end > this.#gathering.length) this.#grow(end);
    const buffer = this.#gathering;
    buffer[at] = length >>> 24;
    buffer[at + 1] = length >>> 16;
    buffer[at + 2] = length >>> 8;
    buffer[at + 3] = length;
    buffer.set(frame, at + HEADER_BYTES);
    this.#gathered = end;
    if (end >= EARLY_BYTES && !this.#saturated) this.flush();
    return true;
  }

  /** True if bytes wait for the kernel: then see to it that `isStalled` is asked. */
  flush(): boolean {
    if (this.#leavingFrom === this.#leavingEnd) this.#write();
    return this.#leavingFrom < this.#leavingEnd;
  }

  /** Closes the sending side once everything is with the kernel. Nothing is appended any more. */
  finish(): void {
    this.#finishing = true;
    this.flush();
    this.#endIfFinished();
  }

  isStalled(nowMs: number, timeoutMs: number): boolean {
    return this.#leavingFrom < this.#leavingEnd && nowMs - this.#lastProgressMs >= timeoutMs;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#gathering = Buffer.alloc(0);
    this.#gathered = 0;
    this.#leavingFrom = this.#leavingEnd;
  }

  /** Writes until nothing is gathered or the kernel takes no more. */
  #write(): void {
    while (this.#gathered > 0 && !this.#destroyed) {
      const empty = this.#leaving;
      this.#leaving = this.#gathering;
      this.#leavingFrom = 0;
      this.#leavingEnd = this.#gathered;
      this.#gathering = empty;
      this.#gathered = 0;
      this.#lastProgressMs = this.#environment.monotonicMs();
      if (!this.#writeSlices()) return;
    }
    this.#endIfFinished();
    if (this.#leaving.length > RETAINED_BYTES) this.#leaving = Buffer.alloc(0);
    if (this.#gathering.length > RETAINED_BYTES && this.#gathered === 0) {
      this.#gathering = Buffer.alloc(0);
    }
  }

  /** True once everything is with the kernel. */
  #writeSlices(): boolean {
    while (this.#leavingFrom < this.#leavingEnd) {
      this.#sliceEnd = Math.min(this.#leavingFrom + SLICE_BYTES, this.#leavingEnd);
      const slice = this.#leaving.subarray(this.#leavingFrom, this.#sliceEnd);
      this.#socket.write(slice, this.#onWritten);
      // A write that the kernel took at once is gone from the socket when `write` returns, and the
      // buffer is ours again; its callback comes later and finds nothing to do.
      if (this.#socket.writableLength > 0 || this.#destroyed) return false;
      this.#leavingFrom = this.#sliceEnd;
    }
    this.#tellIfWritable();
    return true;
  }

  #continue(): void {
    if (this.#leavingFrom === this.#leavingEnd || this.#socket.writableLength > 0) return;
    if (this.#destroyed) return;
    this.#lastProgressMs = this.#environment.monotonicMs();
    this.#leavingFrom = this.#sliceEnd;
    if (this.#writeSlices()) this.#write();
    else this.#tellIfWritable();
  }

  #tellIfWritable(): void {
    if (!this.#saturated || this.bufferedBytes > this.#maxBufferedBytes / 2) return;
    this.#saturated = false;
    this.#onWritable();
  }

  #endIfFinished(): void {
    if (this.#finishing && !this.#destroyed && this.bufferedBytes === 0) this.#socket.end();
  }

  #grow(needed: number): void {
    const doubled = Math.max(this.#gathering.length * 2, FIRST_BUFFER_BYTES);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, doubled));
    this.#gathering.copy(grown, 0, 0, this.#gathered);
    this.#gathering = grown;
  }
}
