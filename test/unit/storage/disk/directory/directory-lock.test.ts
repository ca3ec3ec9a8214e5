import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SystemEnvironment } from "../../../../../src/core/store/system-environment.ts";
import {
  type DirectoryLock,
  lockDirectory,
} from "../../../../../src/storage/disk/directory/directory-lock.ts";

const environment = new SystemEnvironment();
let folder: string;
const held: DirectoryLock[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "capstan-lock-"));
});
afterEach(async () => {
  for (const lock of held.splice(0)) await lock.release();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function lock(directory = folder, knownProcessId?: number): Promise<DirectoryLock> {
  const taken = await lockDirectory(directory, environment, knownProcessId);
  held.push(taken);
  return taken;
}

/** Someone in another network namespace: has the socket in the folder, and not the name. */
async function foreignListener(answer: string | undefined): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (answer !== undefined) socket.end(answer);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(join(folder, "lock"), resolve));
}

test("a second lock is refused, with the process that has the first", async () => {
  await lock();
  await expect(lock()).rejects.toMatchObject({
    code: "DATA_DIRECTORY_LOCKED",
    message: `the data directory ${folder} is in use by process ${process.pid}, which is this one`,
    details: { path: folder, processId: process.pid },
  });
});

test("a lock that was released can be taken again, and leaves nothing behind", async () => {
  await (await lock()).release();
  expect(await readdir(folder)).toEqual([]);
  await lock();
});

test("two folders have two locks", async () => {
  const other = join(folder, "other");
  await mkdir(other);
  await lock();
  await lock(other);
});

test("of many at once exactly one gets it", async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock()));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("a file of the lock's name that nobody listens on does not block", async () => {
  await writeFile(join(folder, "lock"), "left behind");
  await lock();
  expect(await readdir(folder)).toEqual(["lock"]);
});

test("of many at once over a dead socket exactly one gets it", async () => {
  await writeFile(join(folder, "lock"), "left behind");
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock()));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await readdir(folder)).toEqual(["lock"]);
});

test("whoever listens in the folder has it, also from a container of its own", async () => {
  await foreignListener("4711\n");
  await expect(lock()).rejects.toMatchObject({
    code: "DATA_DIRECTORY_LOCKED",
    message: expect.stringContaining("is in use by process 4711"),
  });
});

test("whoever listens and answers nonsense is named as the identity names them", async () => {
  await foreignListener("what?\n");
  await expect(lock(folder, 42)).rejects.toMatchObject({ details: { processId: 42 } });
});

test("whoever listens and says nothing is another process", async () => {
  await foreignListener("");
  await expect(lock()).rejects.toMatchObject({
    message: `the data directory ${folder} is in use by another process`,
  });
});

test("a path that is too long for a socket is locked all the same", async () => {
  const long = join(folder, "x".repeat(100), "y".repeat(100));
  await mkdir(long, { recursive: true });
  await lock(long);
  await expect(lock(long)).rejects.toMatchObject({ code: "DATA_DIRECTORY_LOCKED" });
});
