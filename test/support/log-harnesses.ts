import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StorageHarness } from "../../src/conformance/storage-harness.ts";
import type { Environment } from "../../src/core/contracts/environment.ts";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { LogStore, Storage } from "../../src/core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import type { Disk, DiskFile } from "../../src/storage/disk/disk.ts";
import { calling, readWholeFile } from "../../src/storage/disk/disk-calls.ts";
import type { SegmentedLogOptions } from "../../src/storage/disk/log/log-options.ts";
import { openSegmentedLog } from "../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../src/storage/disk/node-disk.ts";
import { memoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { findRecord } from "./find-record.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import type { CutEffect } from "./simulated-file.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

export const LOG_FOLDER = "/log";

/** A log, and a state in memory beside it: for the suite of the log alone. */
async function withMemoryState(log: LogStore, environment: Environment): Promise<Storage> {
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const { identity, state, problems } = await memoryStorage({}, context);
  return {
    identity,
    log,
    state,
    problems,
    disown: () => Promise.resolve(),
    close: () => log.close().then(() => state.close()),
  };
}

/** The segmented log over a simulated disk. */
export function simulatedLogHarness(
  time: VirtualTime,
  effect: CutEffect,
  options: SegmentedLogOptions = {},
): StorageHarness {
  const disks = new WeakMap<Storage, SimulatedDisk>();
  let seed = 0;
  const diskOf = (storage: Storage): SimulatedDisk => disks.get(storage) as SimulatedDisk;
  return {
    clock: new VirtualEnvironment({ time }),
    persistent: true,
    open: async (previous) => {
      seed += 1;
      const disk = previous === undefined ? new SimulatedDisk({ time, seed }) : diskOf(previous);
      const environment = new VirtualEnvironment({ time, seed });
      const log = await openSegmentedLog({
        disk: disk.connect(),
        directory: LOG_FOLDER,
        environment,
        observer: SILENT_OBSERVER,
        options,
      });
      const storage = await withMemoryState(log, environment);
      disks.set(storage, disk);
      return storage;
    },
    crash: async (storage) => {
      diskOf(storage).cutPower(effect);
      // Its process is gone: nobody waits for it any more.
      storage.close = () => Promise.resolve();
    },
    faults: {
      failLogSync: (storage) => diskOf(storage).failNext("sync", "EIO"),
      damageLogRecord: async (storage, shard, sequence) => {
        const disk = diskOf(storage);
        await damageRecord(disk.connect(), disk.files(), shard, sequence);
      },
    },
  };
}

/** The segmented log in a folder of this machine, in real time. `end` removes the folder. */
export function realLogHarness(options: SegmentedLogOptions = {}): {
  harness: StorageHarness;
  end: () => void;
} {
  const root = mkdtempSync(join(tmpdir(), "capstan-log-"));
  const folders = new WeakMap<Storage, string>();
  const disk = new NodeDisk();
  const environment = new SystemEnvironment();
  let count = 0;
  const harness: StorageHarness = {
    clock: environment,
    persistent: true,
    open: async (previous) => {
      count += 1;
      const directory =
        previous === undefined ? join(root, `${count}`) : (folders.get(previous) as string);
      const log = await openSegmentedLog({
        disk,
        directory,
        environment,
        observer: SILENT_OBSERVER,
        options,
      });
      const storage = await withMemoryState(log, environment);
      folders.set(storage, directory);
      return storage;
    },
    faults: {
      damageLogRecord: async (storage, shard, sequence) => {
        const directory = folders.get(storage) as string;
        const names = await calling<readonly string[]>((done) => disk.list(directory, done));
        const paths = names.map((name) => join(directory, name));
        await damageRecord(disk, paths, shard, sequence);
      },
    },
  };
  return { harness, end: () => rmSync(root, { recursive: true }) };
}

async function damageRecord(
  disk: Disk,
  paths: readonly string[],
  shard: ShardId,
  sequence: LogSequence,
): Promise<void> {
  for (const path of paths) {
    const bytes = await readWholeFile(disk, path, 1 << 30);
    const at = bytes === undefined ? undefined : findRecord(bytes, shard, sequence);
    if (bytes === undefined || at === undefined) continue;
    const flipped = Uint8Array.of((bytes[at] as number) ^ 0x10);
    const file = await calling<DiskFile>((done) => disk.open(path, done));
    await calling((done) => file.write(flipped, at, done));
    await calling((done) => file.sync(done));
    await calling((done) => file.close(done));
    return;
  }
  throw new Error(`no file has record ${sequence} of shard ${shard}`);
}
