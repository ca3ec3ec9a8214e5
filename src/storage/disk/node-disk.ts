import * as fs from "node:fs";
import type { Disk, DiskCallback, DiskFile } from "./disk.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The file system of this machine. Files are for the user of this process alone. */
export class NodeDisk implements Disk {
  list(directory: string, done: DiskCallback<readonly string[]>): void {
    fs.readdir(directory, (error, names) => answer(done, error, names));
  }

  makeDirectory(path: string, done: DiskCallback): void {
    fs.mkdir(path, { mode: DIRECTORY_MODE }, (error) => answer(done, error, undefined));
  }

  syncDirectory(path: string, done: DiskCallback): void {
    fs.open(path, "r", (error, descriptor) => {
      if (error !== null) return done(error, undefined);
      fs.fsync(descriptor, (failure) => {
        fs.close(descriptor, () =>
          answer(done, cannotSyncFolders(failure) ? null : failure, undefined),
        );
      });
    });
  }

  rename(from: string, to: string, done: DiskCallback): void {
    fs.rename(from, to, (error) => answer(done, error, undefined));
  }

  remove(path: string, done: DiskCallback): void {
    fs.unlink(path, (error) => answer(done, error, undefined));
  }

  open(path: string, done: DiskCallback<DiskFile>): void {
    this.#open(path, "r+", done);
  }

  create(path: string, done: DiskCallback<DiskFile>): void {
    this.#open(path, "wx+", done);
  }

  #open(path: string, flags: string, done: DiskCallback<DiskFile>): void {
    fs.open(path, flags, FILE_MODE, (error, descriptor) => {
      if (error !== null) return done(error, undefined);
      done(undefined, new NodeDiskFile(path, descriptor));
    });
  }
}

class NodeDiskFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(done: DiskCallback<number>): void {
    fs.fstat(this.#descriptor, (error, stats) => answer(done, error, stats?.size));
  }

  read(into: Uint8Array, position: number, done: DiskCallback<number>): void {
    this.#readOn(into, position, 0, done);
  }

  write(bytes: Uint8Array, position: number, done: DiskCallback): void {
    this.#writeOn(bytes, position, 0, done);
  }

  writeNow(bytes: Uint8Array, position: number): void {
    let written = 0;
    while (written < bytes.length) {
      const left = bytes.length - written;
      written += fs.writeSync(this.#descriptor, bytes, written, left, position + written);
    }
  }

  /** Zeros that were written and synced before keep the size out of this: one flush is enough. */
  sync(done: DiskCallback): void {
    fs.fdatasync(this.#descriptor, (error) => answer(done, error, undefined));
  }

  close(done: DiskCallback): void {
    fs.close(this.#descriptor, (error) => answer(done, error ?? null, undefined));
  }

  /** The system may read or write less than it was asked to, and is asked for the rest then. */
  #readOn(into: Uint8Array, position: number, filled: number, done: DiskCallback<number>): void {
    const left = into.length - filled;
    fs.read(this.#descriptor, into, filled, left, position + filled, (error, count) => {
      if (error !== null) return done(error, undefined);
      const total = filled + count;
      if (count === 0 || total === into.length) return done(undefined, total);
      this.#readOn(into, position, total, done);
    });
  }

  #writeOn(bytes: Uint8Array, position: number, written: number, done: DiskCallback): void {
    const left = bytes.length - written;
    fs.write(this.#descriptor, bytes, written, left, position + written, (error, count) => {
      if (error !== null) return done(error, undefined);
      const total = written + count;
      if (total === bytes.length) return done(undefined, undefined);
      this.#writeOn(bytes, position, total, done);
    });
  }
}

function answer<Result>(
  done: DiskCallback<Result>,
  error: Error | null,
  result: Result | undefined,
): void {
  if (error === null) done(undefined, result as Result);
  else done(error, undefined);
}

/** Windows keeps names by itself, and refuses to sync a folder. */
function cannotSyncFolders(error: NodeJS.ErrnoException | null): boolean {
  return process.platform === "win32" && error?.code === "EPERM";
}
