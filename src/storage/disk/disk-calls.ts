import { dirname } from "node:path";
import type { Disk, DiskCallback, DiskDone, DiskFile } from "./disk.ts";

/** A call of a `Disk` as a promise: for opening and closing, not for the path of every record. */
export function calling(call: (done: DiskDone) => void): Promise<void>;
export function calling<Result>(call: (done: DiskCallback<Result>) => void): Promise<Result>;
export function calling(
  call: (done: (error: Error | undefined, result?: unknown) => void) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === undefined) resolve(result);
      else reject(error);
    });
  });
}

/** The system's name for what went wrong: `ENOENT`, `EIO`, …; undefined if it is no such error. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error && "code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Makes the folder and those above it that are missing, each of them durable. */
export async function makeDirectories(disk: Disk, path: string): Promise<void> {
  try {
    await calling((done) => disk.makeDirectory(path, done));
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    const above = dirname(path);
    if (errorCode(error) !== "ENOENT" || above === path) throw error;
    await makeDirectories(disk, above);
    await calling((done) => disk.makeDirectory(path, done));
  }
  await calling((done) => disk.syncDirectory(dirname(path), done));
}

/** The whole file, or undefined if there is none. A file above `maxBytes` is a RangeError. */
export async function readWholeFile(
  disk: Disk,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const file = await openIfThere(disk, path);
  if (file === undefined) return undefined;
  try {
    const size = await calling<number>((done) => file.size(done));
    if (size > maxBytes) {
      throw new RangeError(`${path} has ${size} bytes, and at most ${maxBytes} are allowed`);
    }
    const bytes = new Uint8Array(size);
    const count = await calling<number>((done) => file.read(bytes, 0, done));
    return bytes.subarray(0, count);
  } finally {
    await calling((done) => file.close(done));
  }
}

/**
 * Puts `bytes` in the place of the file's content, durably when it settles: after a crash the file
 * is the old one or the new one. Uses the name `<path>.new` meanwhile.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await removeIfThere(disk, temporary);
  const file = await calling<DiskFile>((done) => disk.create(temporary, done));
  try {
    await calling((done) => file.write(bytes, 0, done));
    await calling((done) => file.sync(done));
  } finally {
    await calling((done) => file.close(done));
  }
  await calling((done) => disk.rename(temporary, path, done));
  await calling((done) => disk.syncDirectory(dirname(path), done));
}

/** Not durable until the folder is synced. */
export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await calling((done) => disk.remove(path, done));
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await calling<DiskFile>((done) => disk.open(path, done));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
