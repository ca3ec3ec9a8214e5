import { copyFile, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../../src/core/model/ids.ts";
import { lockDirectory } from "../../../../../src/storage/disk/directory/directory-lock.ts";
import { openDiskStorage } from "../../../../../src/storage/disk/disk-storage.ts";
import { openSegmentedLog } from "../../../../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../../../../src/storage/disk/node-disk.ts";
import { openLmdbFile } from "../../../../../src/storage/disk/state/state-file.ts";
import { runBeside } from "../../../../support/run-beside.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";

const KIB = 1024;
/** A file that is larger is not summed. */
const MAX_SUMMED_BYTES = 512 * KIB;
const SHARD = 7 as ShardId;

let path: string;
let file: string;
let time: VirtualTime;
/** How often the state's file was opened: more than once where it was read through first. */
let openings: number;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "capstan-close-"));
  file = join(path, "n1", "state", "data.mdb");
  time = new VirtualTime();
});
afterEach(() => rm(path, { recursive: true, force: true }));

async function openStorage(): Promise<Storage> {
  openings = 0;
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await runBeside(
    time,
    openDiskStorage({ path }, context, {
      disk: new NodeDisk(),
      readBootId: async () => "boot",
      lock: lockDirectory,
      openStateFile: (folder) => {
        openings += 1;
        return openLmdbFile(folder);
      },
      openLog: openSegmentedLog,
      maxSummedBytes: MAX_SUMMED_BYTES,
    }),
  );
  storage.log.start({ onDurable: () => undefined, onFailed: () => undefined });
  storage.state.start({ onFailed: () => undefined });
  return storage;
}

async function closedWith(entries: number): Promise<void> {
  const storage = await openStorage();
  for (let at = 0; at < entries; at += 1) {
    const where = { shard: SHARD, space: "data", key: Buffer.from(`key ${at}`) } as const;
    storage.state.commit({
      mutations: [{ type: "put", ...where, value: new Uint8Array(10 * KIB).fill(at) }],
      position: 0 as LogPosition,
    });
  }
  await runBeside(time, storage.close());
}

/** Opens it, looks for the last value, and closes it again. */
async function timesOpened(lastKey: number): Promise<number> {
  const storage = await openStorage();
  expect(storage.state.get(SHARD, "data", Buffer.from(`key ${lastKey}`))?.length).toBe(10 * KIB);
  const counted = openings;
  await runBeside(time, storage.close());
  return counted;
}

describe("a state file that was closed in order", () => {
  test("is not read through at the next start, however large it is", {
    timeout: 30_000,
  }, async () => {
    await closedWith(70);
    expect((await stat(file)).size).toBeGreaterThan(MAX_SUMMED_BYTES);
    expect(await timesOpened(69)).toBe(1);
    expect(await timesOpened(69)).toBe(1);
    // But where somebody has written to it, though its size is the same.
    const handle = await open(file, "r+");
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 400 * KIB);
    await handle.write(buffer, 0, 1, 400 * KIB);
    await handle.close();
    expect(await timesOpened(69)).toBeGreaterThan(1);
    // Or where another is in its place.
    await copyFile(file, `${file}-copy`);
    await rename(`${file}-copy`, file);
    expect(await timesOpened(69)).toBeGreaterThan(1);
  });

  test("and a small one is told by its checksum, as before", async () => {
    await closedWith(2);
    await copyFile(file, `${file}-copy`);
    await rename(`${file}-copy`, file);
    expect(await timesOpened(1)).toBe(1);
  });
});
