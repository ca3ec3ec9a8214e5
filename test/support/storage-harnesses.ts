import type { StorageHarness } from "../../src/conformance/storage-harness.ts";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { Storage, StorageContext, StorageFactory } from "../../src/core/contracts/storage.ts";
import { memoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { PersistentMemoryDisk } from "./persistent-memory-storage.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

/** A broken variant of a storage, made from a good one. */
export type Defect = (storage: Storage) => Storage;

const NO_DEFECT: Defect = (storage) => storage;

/** Each opening has an environment of its own seed, or all stores would have one id. */
function contexts(time: VirtualTime): () => StorageContext {
  let seed = 0;
  return () => {
    seed += 1;
    const environment = new VirtualEnvironment({ time, seed });
    return { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  };
}

export function memoryHarness(
  time: VirtualTime,
  defect: Defect = NO_DEFECT,
  factory: StorageFactory = memoryStorage,
): StorageHarness {
  const nextContext = contexts(time);
  return {
    clock: new VirtualEnvironment({ time }),
    persistent: false,
    open: async (_previous, options = {}) => defect(await factory(options, nextContext())),
  };
}

export interface PersistentHarnessOptions {
  readonly defect?: Defect;
  readonly makeDisk?: () => PersistentMemoryDisk;
  /** What a power cut happens to leave of what was not durable. */
  readonly kept?: { readonly logEntries: number; readonly commits: number };
}

export function persistentHarness(
  time: VirtualTime,
  options: PersistentHarnessOptions = {},
): StorageHarness {
  const { defect = NO_DEFECT, makeDisk = () => new PersistentMemoryDisk(), kept } = options;
  const nextContext = contexts(time);
  const disks = new WeakMap<Storage, PersistentMemoryDisk>();
  const diskOf = (storage: Storage): PersistentMemoryDisk => {
    const disk = disks.get(storage);
    if (disk === undefined) throw new Error("not opened by this harness");
    return disk;
  };
  return {
    clock: new VirtualEnvironment({ time }),
    persistent: true,
    open: async (previous, options = {}) => {
      const disk = previous === undefined ? makeDisk() : diskOf(previous);
      const storage = defect(await disk.factory(options, nextContext()));
      disks.set(storage, disk);
      return storage;
    },
    crash: async (storage) => diskOf(storage).crash(kept),
    faults: {
      failLogSync: (storage) => diskOf(storage).failNextSync("log"),
      failStateSync: (storage) => diskOf(storage).failNextSync("state"),
      damageLogRecord: async (storage, shard) => diskOf(storage).damageLog(shard),
      damageStateEntry: async (storage, shard, space, key) =>
        diskOf(storage).damageEntry(shard, space, key),
    },
  };
}
