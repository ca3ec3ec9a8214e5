import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StorageHarness } from "../../src/conformance/storage-harness.ts";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { Storage } from "../../src/core/contracts/storage.ts";
import { lockDirectory } from "../../src/storage/disk/directory/directory-lock.ts";
import { type DiskSurroundings, openDiskStorage } from "../../src/storage/disk/disk-storage.ts";
import { openSegmentedLog } from "../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../src/storage/disk/node-disk.ts";
import { entryPrefix, joined } from "../../src/storage/disk/state/record-format.ts";
import {
  type FileOperation,
  openLmdbFile,
  type StateFile,
} from "../../src/storage/disk/state/state-file.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

/** A state file under control: its writes can be made to fail, or never to come to an end. */
export class TestedFile implements StateFile {
  readonly path: string;
  failNextWrite = false;
  readonly #file: StateFile;
  #isFrozen = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: StateFile) {
    this.#file = file;
    this.path = file.path;
  }

  get: StateFile["get"] = (key, snapshot) => this.#file.get(key, snapshot);
  value: StateFile["value"] = (key, snapshot) => this.#file.value(key, snapshot);
  keys: StateFile["keys"] = (from, to, snapshot) => this.#file.keys(from, to, snapshot);
  checksumOf: StateFile["checksumOf"] = (key) => this.#file.checksumOf(key);
  entries: StateFile["entries"] = (from, to, snapshot) => this.#file.entries(from, to, snapshot);
  snapshot: StateFile["snapshot"] = () => this.#file.snapshot();

  write(operations: readonly FileOperation[]): Promise<void> {
    if (this.#isFrozen) return new Promise(() => undefined);
    if (this.failNextWrite) {
      this.failNextWrite = false;
      return Promise.reject(new Error("no space is left"));
    }
    this.#writing = this.#file.write(operations);
    return this.#writing;
  }

  async close(): Promise<void> {
    if (!this.#isFrozen) await this.#file.close();
  }

  /** As after a power cut: what is under way reaches the file, and nothing else. */
  async freeze(): Promise<void> {
    this.#isFrozen = true;
    await this.#writing;
    await this.#file.close();
  }
}

interface Opened {
  readonly folder: TestedFolder;
  readonly file: TestedFile;
  readonly release: () => Promise<void>;
}

interface TestedFolder {
  readonly path: string;
  boots: number;
}

/** Disk storage in temporary folders, under virtual time. Call `remove` in the end. */
export function diskHarness(time: VirtualTime): StorageHarness & { remove(): Promise<void> } {
  let seed = 0;
  const opened = new WeakMap<Storage, Opened>();
  const folders: TestedFolder[] = [];
  const openedBy = (storage: Storage): Opened => {
    const found = opened.get(storage);
    if (found === undefined) throw new Error("not opened by this harness");
    return found;
  };
  const makeFolder = async (): Promise<TestedFolder> => {
    const path = await mkdtemp(join(tmpdir(), "capstan-disk-"));
    const folder = { path, boots: 1 };
    folders.push(folder);
    return folder;
  };
  const open = async (folder: TestedFolder, options: object): Promise<Storage> => {
    seed += 1;
    const environment = new VirtualEnvironment({ time, seed });
    const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
    const taken: { file?: TestedFile; release?: () => Promise<void> } = {};
    const storage = await openDiskStorage(
      { path: folder.path, ...options },
      context,
      surroundingsOf(folder, taken),
    );
    opened.set(storage, { folder, ...(taken as Required<typeof taken>) });
    return storage;
  };
  return {
    clock: new VirtualEnvironment({ time }),
    persistent: true,
    open: async (previous, options = {}) =>
      open(previous === undefined ? await makeFolder() : openedBy(previous).folder, options),
    crash: async (storage) => {
      const { folder, file, release } = openedBy(storage);
      await file.freeze();
      await release();
      folder.boots += 1;
    },
    faults: {
      failStateSync: (storage) => {
        openedBy(storage).file.failNextWrite = true;
      },
      damageStateEntry: async (storage, shard, space, key) => {
        const { folder } = openedBy(storage);
        const file = await openLmdbFile(join(folder.path, "n1", "state"));
        const fileKey = joined(entryPrefix(shard, 1, space), key);
        const record = file.get(fileKey) as Uint8Array;
        const changed = Uint8Array.from(record, (byte, at) =>
          at === record.length - 1 ? byte ^ 4 : byte,
        );
        await file.write([{ key: fileKey, record: changed }]);
        await file.close();
      },
    },
    remove: async () => {
      for (const { path } of folders) await rm(path, { recursive: true, force: true });
    },
  };
}

function surroundingsOf(
  folder: TestedFolder,
  taken: { file?: TestedFile; release?: () => Promise<void> },
): DiskSurroundings {
  return {
    disk: new NodeDisk(),
    readBootId: async () => `boot ${folder.boots}`,
    lock: async (...asked) => {
      const lock = await lockDirectory(...asked);
      taken.release = () => lock.release();
      return lock;
    },
    openStateFile: async (path) => {
      taken.file = new TestedFile(await openLmdbFile(path));
      return taken.file;
    },
    openLog: openSegmentedLog,
  };
}
