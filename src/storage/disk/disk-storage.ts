import { join } from "node:path";
import type {
  LogStore,
  StateStore,
  Storage,
  StorageContext,
  StorageIdentity,
  StorageProblem,
} from "../../core/contracts/storage.ts";
import { readBootId } from "./directory/boot-id.ts";
import { DataDirectory, LOG_FOLDER, STATE_FOLDER } from "./directory/data-directory.ts";
import { lockDirectory } from "./directory/directory-lock.ts";
import type { Disk } from "./disk.ts";
import { calling } from "./disk-calls.ts";
import { type DiskSettings, parseDiskOptions } from "./disk-options.ts";
import { type OpenSegmentedLog, openSegmentedLog } from "./log/open-segmented-log.ts";
import { NodeDisk } from "./node-disk.ts";
import type { DiskStateStore } from "./state/disk-state-store.ts";
import { MAX_SUMMED_BYTES, openState, sealOf } from "./state/open-state.ts";
import { type OpenStateFile, openLmdbFile } from "./state/state-file.ts";
import { StateLostError } from "./state/state-lost-error.ts";

/** One reading of a folder with a few names in it, by a thread of its own. */
const FOLDER_CHECK_MS = 2_000;

/** What disk storage stands on; tests put their own in its place. */
export interface DiskSurroundings {
  readonly disk: Disk;
  /** Undefined where the machine does not say when it was started. */
  readBootId(): Promise<string | undefined>;
  readonly lock: typeof lockDirectory;
  readonly openStateFile: OpenStateFile;
  openLog(opening: OpenSegmentedLog): Promise<LogStore>;
  /** How often it is seen whether the log's folder is there. Default: never. */
  readonly folderCheckMs?: number;
  /** Of the state's file: a larger one is not summed when it is closed. Default 64 MiB. */
  readonly maxSummedBytes?: number;
}

/**
 * Storage that survives its process and the power: a log and a state in a folder of the node's own
 * below `storage.path`. Options: `DiskStorageOptions`. LMDB is loaded when the first is opened.
 *
 * Rejects with a `CapstanError`: `INVALID_CONFIGURATION` for a wrong option or a path where no data
 * can be kept, `DATA_DIRECTORY_LOCKED`, `UNSUPPORTED_FORMAT`, `IDENTITY_CONFLICT` for the data of
 * another cluster or node, `STORE_FAILED` where the state could be neither verified nor opened.
 */
export function diskStorage(
  options: Readonly<Record<string, unknown>>,
  context: StorageContext,
): Promise<Storage> {
  return openDiskStorage(options, context, {
    disk: new NodeDisk(),
    readBootId,
    lock: lockDirectory,
    openStateFile: openLmdbFile,
    openLog: openSegmentedLog,
    folderCheckMs: FOLDER_CHECK_MS,
  });
}

/** The same over given surroundings. */
export async function openDiskStorage(
  options: Readonly<Record<string, unknown>>,
  context: StorageContext,
  surroundings: DiskSurroundings,
): Promise<Storage> {
  const settings = parseDiskOptions(options);
  const { disk, lock } = surroundings;
  const bootId = await surroundings.readBootId();
  const directory = await DataDirectory.open(settings.path, context, { disk, lock, bootId });
  const opened: { close(): Promise<void> }[] = [];
  try {
    const state = await openStateIn(directory, settings, context, surroundings);
    opened.push(state);
    const log = await surroundings.openLog({
      disk,
      directory: join(directory.path, LOG_FOLDER),
      environment: context.environment,
      observer: context.observer,
      folderCheckMs: surroundings.folderCheckMs,
      // What was acknowledged without a sync may be in the state, and no more in the log.
      options: { ...settings.log, floorPosition: state.committedPosition },
    });
    return new DiskStorage(directory, log, state, surroundings.maxSummedBytes);
  } catch (error) {
    for (const each of opened) await each.close();
    await directory.close(undefined);
    throw error;
  }
}

/** A state that is lost takes the log with it, which begins where the state ended. */
async function openStateIn(
  directory: DataDirectory,
  settings: DiskSettings,
  context: StorageContext,
  surroundings: DiskSurroundings,
): Promise<DiskStateStore> {
  const { disk } = surroundings;
  const path = join(directory.path, STATE_FOLDER);
  const open = (isExpected: boolean): Promise<DiskStateStore> =>
    openState({
      disk,
      path,
      settings,
      environment: context.environment,
      seal: directory.lastClose,
      isExpected,
      openFile: surroundings.openStateFile,
      verify: settings.verifyAtOpen,
      maxSummedBytes: surroundings.maxSummedBytes ?? MAX_SUMMED_BYTES,
      putAside: (reason) => directory.putAside(STATE_FOLDER, reason),
    });
  const names = await calling<readonly string[]>((done) => disk.list(directory.path, done));
  const isExpected = names.some((name) => name === LOG_FOLDER || name.startsWith(STATE_FOLDER));
  let state: DiskStateStore;
  try {
    state = await open(isExpected);
  } catch (error) {
    if (!(error instanceof StateLostError)) throw error;
    await directory.startOver(path, error.message);
    state = await open(false);
  }
  // LMDB syncs its file, and not the names that lead to it.
  await calling((done) => disk.syncDirectory(path, done));
  await calling((done) => disk.syncDirectory(directory.path, done));
  return state;
}

class DiskStorage implements Storage {
  readonly identity: StorageIdentity;
  readonly problems: readonly StorageProblem[];
  readonly log: LogStore;
  readonly state: StateStore;
  readonly #directory: DataDirectory;
  readonly #diskState: DiskStateStore;
  readonly #maxSummedBytes: number;
  #closing: Promise<void> | undefined;

  constructor(
    directory: DataDirectory,
    log: LogStore,
    state: DiskStateStore,
    maxSummedBytes: number = MAX_SUMMED_BYTES,
  ) {
    this.#maxSummedBytes = maxSummedBytes;
    this.identity = directory.identity;
    this.problems = directory.problems;
    this.log = log;
    this.state = state;
    this.#directory = directory;
    this.#diskState = state;
  }

  disown(reason: string): Promise<void> {
    return this.#directory.disown(reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.log.close();
    } finally {
      await this.#diskState.close();
    }
    const isWhole = this.log.health().state !== "failed" && !this.#diskState.hasFailed;
    const path = join(this.#directory.path, STATE_FOLDER);
    const seal = isWhole ? await sealOf(path, this.#maxSummedBytes) : undefined;
    await this.#directory.close(seal);
  }
}
