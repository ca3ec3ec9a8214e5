import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../../src/core/model/ids.ts";
import { lockDirectory } from "../../../../../src/storage/disk/directory/directory-lock.ts";
import { openDiskStorage } from "../../../../../src/storage/disk/disk-storage.ts";
import { openSegmentedLog } from "../../../../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../../../../src/storage/disk/node-disk.ts";
import {
  type OpenStateFile,
  openLmdbFile,
} from "../../../../../src/storage/disk/state/state-file.ts";
import { runBeside } from "../../../../support/run-beside.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";

const WHERE = { shard: 7 as ShardId, space: "data", key: Buffer.from("key") } as const;

let path: string;
let time: VirtualTime;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "capstan-unusable-"));
  time = new VirtualTime();
});
afterEach(() => rm(path, { recursive: true, force: true }));

async function openStorage(openStateFile: OpenStateFile): Promise<Storage> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await runBeside(
    time,
    openDiskStorage({ path }, context, {
      disk: new NodeDisk(),
      readBootId: async () => "boot",
      lock: lockDirectory,
      openStateFile,
      openLog: openSegmentedLog,
    }),
  );
  storage.log.start({ onDurable: () => undefined, onFailed: () => undefined });
  storage.state.start({ onFailed: () => undefined });
  return storage;
}

async function closedWithAnEntry(): Promise<void> {
  const storage = await openStorage(openLmdbFile);
  storage.state.commit({
    mutations: [{ type: "put", ...WHERE, value: Buffer.from("value") }],
    position: 0 as LogPosition,
  });
  await runBeside(time, storage.close());
}

/** All of it is where it was, and nothing was set aside. */
async function expectKept(storeId: string): Promise<void> {
  const names = await readdir(join(path, "n1"));
  expect(names.filter((name) => name.startsWith("set-aside"))).toEqual([]);
  const storage = await openStorage(openLmdbFile);
  expect(storage.identity.storeId).toBe(storeId);
  expect(storage.problems).toEqual([]);
  const { shard, space, key } = WHERE;
  expect(Buffer.from(storage.state.get(shard, space, key) ?? []).toString()).toBe("value");
  await runBeside(time, storage.close());
}

async function storeIdNow(): Promise<string> {
  const storage = await openStorage(openLmdbFile);
  await runBeside(time, storage.close());
  return storage.identity.storeId;
}

test("data is left as it is where LMDB cannot be loaded, as with its native part missing", async () => {
  await closedWithAnEntry();
  const storeId = await storeIdNow();
  const load = () => Promise.reject(new Error("No native build was found for platform=linux"));
  await expect(openStorage((folder) => openLmdbFile(folder, load))).rejects.toMatchObject({
    code: "STORE_FAILED",
    message: expect.stringMatching(/^the package lmdb cannot be loaded here.*No native build was/),
  });
  await expectKept(storeId);
});

test("data is left as it is where LMDB opens no file at all, a new one neither", async () => {
  await closedWithAnEntry();
  const storeId = await storeIdNow();
  const openNothing = () => Promise.reject(new TypeError("something is not a function"));
  await expect(openStorage(openNothing)).rejects.toMatchObject({
    code: "STORE_FAILED",
    message: expect.stringMatching(/cannot be opened, nor can a new file.*something is not a func/),
  });
  await expectKept(storeId);
});

test("a file that cannot be opened where a new one can is damaged, and set aside", async () => {
  await closedWithAnEntry();
  let isFirst = true;
  const storage = await openStorage((folder) => {
    if (isFirst) {
      isFirst = false;
      return Promise.reject(new RangeError("Invalid size"));
    }
    return openLmdbFile(folder);
  });
  expect(storage.identity.fresh).toBe(true);
  expect(storage.problems).toMatchObject([{ reason: expect.stringContaining("Invalid size") }]);
  expect(await readdir(join(path, "n1"))).not.toContain("state-new");
  await runBeside(time, storage.close());
});
