import type { Environment } from "../../../core/contracts/environment.ts";
import type { Observer } from "../../../core/contracts/observer.ts";
import type { LogStore } from "../../../core/contracts/storage.ts";
import type { Disk } from "../disk.ts";
import { makeDirectories } from "../disk-calls.ts";
import { resolveLogOptions, type SegmentedLogOptions } from "./log-options.ts";
import { recoverLog } from "./log-recovery.ts";
import type { PlantedLogBugs } from "./planted-bugs.ts";
import { SegmentedLogStore } from "./segmented-log-store.ts";

export interface OpenSegmentedLog {
  readonly disk: Disk;
  /** A folder of its own, which is made if it is not there. One log at a time may have it open. */
  readonly directory: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly options?: SegmentedLogOptions;
  /** How often it is seen whether the folder is there; undefined: never. */
  readonly folderCheckMs?: number | undefined;
  /** Only in tests. */
  readonly planted?: PlantedLogBugs;
}

/**
 * Opens the write-ahead log of a node, or makes a new one. It opens whatever bytes are in its
 * files; `health().damagedShards` says what they lack.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` for an option out of bounds, and `STORE_FAILED`,
 *   naming file and versions, for a log of another format version. The system's own error, with its
 *   `code`, where the folder or a file cannot be opened or synced.
 */
export async function openSegmentedLog(open: OpenSegmentedLog): Promise<LogStore> {
  const options = resolveLogOptions(open.options ?? {});
  await makeDirectories(open.disk, open.directory);
  const recovered = await recoverLog({ ...open, floorPosition: options.floorPosition });
  return new SegmentedLogStore({ ...open, options, recovered });
}
