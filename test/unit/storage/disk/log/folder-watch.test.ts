import { mkdtempSync, readdirSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { LogStore } from "../../../../../src/core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../../../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../../../../src/core/store/system-environment.ts";
import { openSegmentedLog } from "../../../../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../../../../src/storage/disk/node-disk.ts";

let folder: string;
let log: LogStore;
let failure: Error | undefined;
let sequence: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "capstan-folder-watch-"));
  failure = undefined;
  sequence = 0;
  log = await openSegmentedLog({
    disk: new NodeDisk(),
    directory: join(folder, "log"),
    environment: new SystemEnvironment(),
    observer: SILENT_OBSERVER,
    options: { segmentBytes: 1024 * 1024 },
    folderCheckMs: 5,
  });
  log.start({
    onDurable: () => undefined,
    onFailed: (error) => {
      failure = error;
    },
  });
});
afterEach(async () => {
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(bytes = 8): void {
  sequence += 1;
  const record = {
    ...{ shard: 1 as ShardId, sequence: sequence as LogSequence },
    payload: new Uint8Array(bytes),
  };
  log.append(record as never, "fsync");
  log.flush();
}

async function written(bytes?: number): Promise<void> {
  write(bytes);
  await expect.poll(() => log.durablePosition, { interval: 2 }).toBe(log.lastPosition);
}

test.each([
  ["the folder is removed", () => rmSync(folder, { recursive: true }), "it is gone"],
  ["a folder above it is moved", () => renameSync(folder, `${folder}-moved`), "it is gone"],
  ["the file that is written is removed", () => removeFiles(), /its file [^ ]+ is gone/],
])("a log fails where %s, before the next segment, and names it", async (_what, harm, why) => {
  await written();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(failure).toBeUndefined();
  harm();
  await expect.poll(() => failure?.message, { interval: 2 }).toMatch(why);
  expect(failure).toMatchObject({ code: "STORE_FAILED" });
  expect(failure?.message).toContain(`the folder of the log, ${join(folder, "log")}, was removed`);
  expect(log.health().state).toBe("failed");
  expect(() => write()).toThrow(failure as Error);
  rmSync(`${folder}-moved`, { recursive: true, force: true });
});

test("a log whose segments come and go goes on", async () => {
  for (let round = 0; round < 60; round++) {
    await written(100_000);
    log.release(1 as ShardId, sequence as LogSequence);
  }
  expect(failure).toBeUndefined();
});

function removeFiles(): void {
  const disk = join(folder, "log");
  for (const name of readdirSync(disk)) unlinkSync(join(disk, name));
}
