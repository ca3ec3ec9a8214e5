import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiskFile } from "../../../../src/storage/disk/disk.ts";
import {
  calling,
  errorCode,
  makeDirectories,
  readWholeFile,
  removeIfThere,
  replaceFile,
} from "../../../../src/storage/disk/disk-calls.ts";
import { NodeDisk } from "../../../../src/storage/disk/node-disk.ts";

const disk = new NodeDisk();
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "capstan-disk-"));
});

afterEach(() => rm(folder, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (from: Uint8Array | undefined): string => new TextDecoder().decode(from);
const create = (name: string): Promise<DiskFile> =>
  calling<DiskFile>((done) => disk.create(join(folder, name), done));
const close = (file: DiskFile): Promise<void> => calling((done) => file.close(done));
const names = async (of: string): Promise<string[]> => [
  ...(await calling<readonly string[]>((done) => disk.list(join(folder, of), done))),
];
const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(() => "no error", errorCode);

test("reads what was written, also over the end and out of a gap", async () => {
  const file = await create("a");
  await calling((done) => file.write(bytes("later"), 10, done));
  file.writeNow(bytes("now"), 0);
  await calling((done) => file.sync(done));
  expect(await calling<number>((done) => file.size(done))).toBe(15);
  const into = new Uint8Array(20);
  expect(await calling<number>((done) => file.read(into, 0, done))).toBe(15);
  expect(text(into.subarray(0, 15))).toBe("now\0\0\0\0\0\0\0later");
  expect(await calling<number>((done) => file.read(into, 15, done))).toBe(0);
  await close(file);
});

test("opens a file that exists, and creates one that does not", async () => {
  await close(await create("a"));
  expect(await codeOf(create("a"))).toBe("EEXIST");
  const missing = calling<DiskFile>((done) => disk.open(join(folder, "b"), done));
  expect(await codeOf(missing)).toBe("ENOENT");
  const again = await calling<DiskFile>((done) => disk.open(join(folder, "a"), done));
  expect(again.path).toBe(join(folder, "a"));
  await close(again);
});

test("answers outside of the call, errors too", async () => {
  let isInside = true;
  const answers: Promise<boolean>[] = [];
  const watch = (call: (done: () => void) => void): void => {
    answers.push(new Promise((resolve) => call(() => resolve(isInside))));
  };
  watch((done) => disk.list(folder, done));
  watch((done) => disk.open(join(folder, "none"), done));
  watch((done) => disk.syncDirectory(join(folder, "none"), done));
  watch((done) => disk.remove(join(folder, "none"), done));
  isInside = false;
  expect(await Promise.all(answers)).toEqual([false, false, false, false]);
});

test("a write to a closed file fails, in both ways of writing", async () => {
  const file = await create("a");
  await close(file);
  expect(await codeOf(calling((done) => file.write(bytes("x"), 0, done)))).toBe("EBADF");
  expect(() => file.writeNow(bytes("x"), 0)).toThrow("EBADF");
});

test("names are made, moved, listed and removed", async () => {
  await makeDirectories(disk, join(folder, "x", "y"));
  await makeDirectories(disk, join(folder, "x", "y"));
  await close(await create("a"));
  await calling((done) => disk.rename(join(folder, "a"), join(folder, "x", "b"), done));
  await calling((done) => disk.syncDirectory(join(folder, "x"), done));
  expect((await names("x")).sort()).toEqual(["b", "y"]);
  await removeIfThere(disk, join(folder, "x", "b"));
  await removeIfThere(disk, join(folder, "x", "b"));
  expect(await names("x")).toEqual(["y"]);
});

test("replaces a file whole, over what an earlier try left", async () => {
  const path = join(folder, "identity");
  expect(await readWholeFile(disk, path, 100)).toBeUndefined();
  await close(await create("identity.new"));
  await replaceFile(disk, path, bytes("first"));
  await replaceFile(disk, path, bytes("second"));
  expect(text(await readWholeFile(disk, path, 6))).toBe("second");
  expect(await names("")).toEqual(["identity"]);
  await expect(readWholeFile(disk, path, 5)).rejects.toThrow(/identity has 6 bytes, .* 5 /);
});
