/**
 * What the stores on disk need of a file system, small enough that a simulated disk can stand under
 * the same code.
 *
 * Obligations
 * - Order: calls that are under way together may take effect in any order; one that is made after
 *   another has answered takes effect after it.
 * - Durability at return: none. What was written survives a killed process, and a power cut only
 *   once `sync` of that file has answered. Until then any part of it may be kept, lost or torn,
 *   whatever came before or after. A name that was made, moved or removed survives a power cut only
 *   once `syncDirectory` of its folder has answered, and then with whatever of the file was synced.
 * - Buffers: the caller changes no buffer, and reads none that is being filled, until the answer.
 * - Concurrency: every callback runs once, and never inside the call.
 * - Errors: as the system says them, with its `code`: `ENOENT`, `EEXIST`, `ENOSPC`, `EIO`, …
 *   After a `sync` that failed nothing that was written since the last good one may be trusted,
 *   whatever a later `sync` says.
 */
export interface Disk {
  /** The names in a folder, files and folders alike, in no order. */
  list(directory: string, done: DiskCallback<readonly string[]>): void;
  /** Makes one folder; `EEXIST` if there is anything of that name. */
  makeDirectory(path: string, done: DiskDone): void;
  /** Puts names that were made, moved or removed in this folder on stable storage. */
  syncDirectory(path: string, done: DiskDone): void;
  /** Moves a file or folder over whatever file is called `to`: always one of both is there. */
  rename(from: string, to: string, done: DiskDone): void;
  /** Removes one file. */
  remove(path: string, done: DiskDone): void;
  /** Opens a file that exists, for reading and writing. */
  open(path: string, done: DiskCallback<DiskFile>): void;
  /** Makes a new, empty file and opens it; `EEXIST` if there is anything of that name. */
  create(path: string, done: DiskCallback<DiskFile>): void;
}

/** One open file. Nothing may be called once `close` was. */
export interface DiskFile {
  readonly path: string;
  /** Bytes in the file now. */
  size(done: DiskCallback<number>): void;
  /**
   * Fills `into` from `position` on, and answers how many bytes that were: fewer only where the
   * file ends.
   */
  read(into: Uint8Array, position: number, done: DiskCallback<number>): void;
  /** Writes all of `bytes` at `position`; a gap that this leaves reads as zeros. */
  write(bytes: Uint8Array, position: number, done: DiskDone): void;
  /**
   * The same at once, into the system's memory: for little that is written often, where the way to
   * another thread and back costs more than the copy. Throws what `write` would answer.
   */
  writeNow(bytes: Uint8Array, position: number): void;
  /** Puts everything written to this file, and its size, on stable storage. */
  sync(done: DiskDone): void;
  close(done: DiskDone): void;
}

/** Answers with an error, or with `undefined`. */
export type DiskDone = (error: Error | undefined) => void;

/** Answers with an error, or with `undefined` and the result. */
export type DiskCallback<Result> = (
  ...answer: [error: Error, result: undefined] | [error: undefined, result: Result]
) => void;
