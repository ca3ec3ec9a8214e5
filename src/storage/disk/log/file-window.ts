import type { DiskFile } from "../disk.ts";
import { calling } from "../disk-calls.ts";

const WINDOW_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;
const NO_BYTES = Buffer.alloc(0);

/**
 * A file read front to back through a window, for a scan. What cannot be read at all counts as
 * zeros: the scan then finds that something is missing there, and goes on.
 */
export class FileWindow {
  readonly size: number;
  readonly #file: DiskFile;
  #bytes: Buffer = NO_BYTES;
  #from = 0;

  constructor(file: DiskFile, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** `length` bytes from `at` on, fewer where the file ends; valid until the next call. */
  async bytes(at: number, length: number): Promise<Uint8Array> {
    const end = Math.min(at + length, this.size);
    if (at < this.#from || end > this.#from + this.#bytes.length) await this.#fill(at, end);
    return this.#bytes.subarray(at - this.#from, end - this.#from);
  }

  async #fill(at: number, end: number): Promise<void> {
    const length = Math.max(end - at, Math.min(WINDOW_BYTES, this.size - at));
    const bytes = Buffer.alloc(Math.max(length, 0));
    try {
      await this.#read(bytes, at);
    } catch {
      for (let from = 0; from < bytes.length; from += PAGE_BYTES) {
        await this.#read(bytes.subarray(from, from + PAGE_BYTES), at + from).catch(() => undefined);
      }
    }
    this.#bytes = bytes;
    this.#from = at;
  }

  #read(into: Buffer, at: number): Promise<number> {
    return calling<number>((done) => this.#file.read(into, at, done));
  }
}
