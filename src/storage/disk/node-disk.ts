import * as fs from "node:fs";
import type { Disk, DiskCallback, DiskDone, DiskFile } from "./disk.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The file system of this machine. Files are for the user of this process alone. */
export class NodeDisk implements Disk {
  list(directory: string, done: DiskCallback<readonly string[]>): void {
    fs.readdir(directory, (error, names) => answer(done, error, names));
  }

  makeDirectory(path: string, done: DiskDone): void {
    fs.mkdir(path, { mode: DIRECTORY_MODE }, ending(done));
  }

  syncDirectory(path: string, done: DiskDone): void {
    fs.open(path, "r", (error, descriptor) => {
      if (error !== null) return done(error);
      fs.fsync(descriptor, (failure) => {
        fs.close(descriptor, () =>
          done(cannotSyncFolders(failure) ? undefined : (failure ?? undefined)),
        );
      });
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    fs.rename(from, to, ending(done));
  }

  remove(path: string, done: DiskDone): void {
    fs.unlink(path, ending(done));
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

  write(bytes: Uint8Array, position: number, done: DiskDone): void {
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
  sync(done: DiskDone): void {
    fs.fdatasync(this.#descriptor, ending(done));
  }

  close(done: DiskDone): void {
    fs.close(this.#descriptor, ending(done));
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

  #writeOn(bytes: Uint8Array, position: number, written: number, done: DiskDone): void {
    const left = bytes.length - written;
    fs.write(this.#descriptor, bytes, written, left, position + written, (error, count) => {
      if (error !== null) return done(error);
      const total = written + count;
      if (total === bytes.length) return done(undefined);
      this.#writeOn(bytes, position, total, done);
    });
  }
}

function ending(done: DiskDone): (error?: Error | null) => void {
  return (error) => done(error ?? undefined);
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
