import { fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";

export const FILE_BYTES = 32 * 1024 * 1024;
const CHUNK = Buffer.alloc(1024 * 1024);

/** A file of zeros that are on stable storage: writing into it changes no metadata. */
export function openZeroFilled(path: string): number {
  const file = openSync(path, "w+");
  for (let at = 0; at < FILE_BYTES; at += CHUNK.length) writeSync(file, CHUNK, 0, CHUNK.length, at);
  fdatasyncSync(file);
  return file;
}

/**
 * The bare log of the floor: one sync in flight, and what is appended meanwhile is the next batch.
 * It wraps around at the end of its file, and nobody could read it back.
 */
export class SyncLog {
  readonly #file: number;
  readonly #onDurable: (records: number) => void;
  #slab = Buffer.allocUnsafeSlow(4 * 1024 * 1024);
  #length = 0;
  #offset = 0;
  #appended = 0;
  #syncing = false;

  /** `onDurable` is told how many records are on stable storage, counted from the first one. */
  constructor(path: string, onDurable: (records: number) => void) {
    this.#file = openZeroFilled(path);
    this.#onDurable = onDurable;
  }

  append(bytes: Uint8Array, records: number): void {
    if (this.#length + bytes.length > this.#slab.length)
      throw new Error("the bare log's slab is full");
    this.#slab.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#appended += records;
    if (!this.#syncing) this.#sync();
  }

  #sync(): void {
    this.#syncing = true;
    const covered = this.#appended;
    if (this.#offset + this.#length > FILE_BYTES) this.#offset = 0;
    writeSync(this.#file, this.#slab, 0, this.#length, this.#offset);
    this.#offset += this.#length;
    this.#length = 0;
    fdatasync(this.#file, (error) => {
      if (error !== null) throw error;
      this.#syncing = false;
      this.#onDurable(covered);
      if (this.#length > 0 && !this.#syncing) this.#sync();
    });
  }
}
