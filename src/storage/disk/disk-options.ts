import { invalidConfiguration } from "../../core/model/configuration-problems.ts";
import type { Duration, Size } from "../../core/model/configuration-types.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";
import { resolveLogOptions, type SegmentedLogOptions } from "./log/log-options.ts";

/** `storage: { type: "disk", … }`. */
export interface DiskStorageOptions {
  /** Each node keeps its data in a folder of its own name below this one. Default `"./data"`. */
  readonly path?: string;
  /**
   * How long what was committed may wait to be written to the state file together with what comes
   * after it; 1 ms to a minute. The log has it durable before; it is what a start after a crash reads
   * back. Each write costs two syncs, which the log waits behind. So that the nodes of a cluster do not
   * write at once, a write comes before its time by chance: the first after a rest by up to two thirds
   * of it, a later one by up to a tenth. Default 5 s.
   */
  readonly commitInterval?: Duration;
  /**
   * Of keys and values that wait to be written to the state file; above it the node takes no new
   * work. 1 MiB to 4 GiB. Default 64 MiB.
   */
  readonly maxPendingBytes?: Size;
  /**
   * How long a view of the state, such as a transfer to another node works from, may stay open: the
   * file cannot use space again that it still shows. 1 s to an hour. Default a minute.
   */
  readonly maxViewAge?: Duration;
  /**
   * Whether a state file that was not closed properly, or has changed since, is read through by
   * another process before this one opens it: a damaged file can crash the process that does.
   * Takes half a second to a second for 100,000 entries. Default true.
   */
  readonly verifyAtOpen?: boolean;
  /**
   * Size of one file of the log, a multiple of 4 KiB; 4 KiB to 1 GiB. Default 16 MiB. A key with its
   * value has to fit in one: where that is less than a keyspace's `maxValue`, larger values are
   * refused with `VALUE_TOO_LARGE`.
   */
  readonly segmentBytes?: Size;
  /** Of one write and sync of the log, if one record is not more; 4 KiB to 64 MiB. Default 1 MiB. */
  readonly maxBatchBytes?: Size;
  /**
   * Records of `os` and `memory` durability are synced at most this long after they were written;
   * 1 ms to a minute. Default 200 ms.
   */
  readonly lazySync?: Duration;
  /** A sync of the log that runs for longer is told as slow; 1 ms to ten minutes. Default 1 s. */
  readonly slowSync?: Duration;
  /**
   * Files of the log beyond twice what is still needed, before old records are written anew to free
   * the files they hold back; 1 to 1,000. Default 4.
   */
  readonly spareSegments?: number;
}

export interface DiskSettings {
  readonly path: string;
  readonly commitIntervalMs: number;
  readonly maxPendingBytes: number;
  readonly maxViewAgeMs: number;
  readonly verifyAtOpen: boolean;
  readonly log: SegmentedLogOptions;
}

const NAMES: readonly string[] = Object.freeze([
  "path",
  "commitInterval",
  "maxPendingBytes",
  "maxViewAge",
  "verifyAtOpen",
  "segmentBytes",
  "maxBatchBytes",
  "lazySync",
  "slowSync",
  "spareSegments",
] satisfies (keyof DiskStorageOptions)[]);

const MIB = 1024 * 1024;

const DEFAULTS = Object.freeze({
  path: "./data",
  commitInterval: 5_000,
  maxPendingBytes: 64 * MIB,
  maxViewAge: 60_000,
  verifyAtOpen: true,
});

const COMMIT_INTERVAL_MS = Object.freeze({ min: 1, max: 60_000 });
const MAX_PENDING_BYTES = Object.freeze({ min: MIB, max: 4 * 1024 * MIB });
const LOG_SIZES = Object.freeze({
  segmentBytes: Object.freeze({ min: 4 * 1024, max: 1024 * MIB }),
  maxBatchBytes: Object.freeze({ min: 4 * 1024, max: 64 * MIB }),
});
const LOG_TIMES_MS = Object.freeze({
  lazySync: Object.freeze({ min: 1, max: 60_000 }),
  slowSync: Object.freeze({ min: 1, max: 600_000 }),
});
const MAX_VIEW_AGE_MS = Object.freeze({ min: 1_000, max: 3_600_000 });

/** Throws `INVALID_CONFIGURATION` naming `storage.<option>`, its value and what is allowed. */
export function parseDiskOptions(options: Readonly<Record<string, unknown>>): DiskSettings {
  const known = [...NAMES, "type"];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const reason = 'is not an option of the storage "disk"';
    const path = `storage.${unknown}`;
    throw invalidConfiguration([{ path, value: options[unknown], allowed: NAMES, reason }]);
  }
  const given: Record<string, unknown> = { ...DEFAULTS, ...withoutUndefined(options) };
  const { path, verifyAtOpen } = given;
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    const allowed = ["the path of a folder, as text"];
    throw invalidConfiguration([{ path: "storage.path", value: path, allowed }]);
  }
  if (typeof verifyAtOpen !== "boolean") {
    const allowed = ["true", "false"];
    throw invalidConfiguration([{ path: "storage.verifyAtOpen", value: verifyAtOpen, allowed }]);
  }
  return Object.freeze({
    path,
    commitIntervalMs: parseDurationMs(
      given.commitInterval,
      "storage.commitInterval",
      COMMIT_INTERVAL_MS,
    ),
    maxPendingBytes: parseSizeBytes(
      given.maxPendingBytes,
      "storage.maxPendingBytes",
      MAX_PENDING_BYTES,
    ),
    maxViewAgeMs: parseDurationMs(given.maxViewAge, "storage.maxViewAge", MAX_VIEW_AGE_MS),
    verifyAtOpen,
    log: logOptions(given),
  });
}

/** Their bounds are the log's, which knows no units: what is beyond them is told by the option's name. */
function logOptions(given: Readonly<Record<string, unknown>>): SegmentedLogOptions {
  const size = (name: keyof typeof LOG_SIZES): number | undefined =>
    given[name] === undefined
      ? undefined
      : parseSizeBytes(given[name], `storage.${name}`, LOG_SIZES[name]);
  const duration = (name: keyof typeof LOG_TIMES_MS): number | undefined =>
    given[name] === undefined
      ? undefined
      : parseDurationMs(given[name], `storage.${name}`, LOG_TIMES_MS[name]);
  const options = {
    segmentBytes: size("segmentBytes"),
    maxBatchBytes: size("maxBatchBytes"),
    lazySyncMs: duration("lazySync"),
    slowSyncMs: duration("slowSync"),
    spareSegments: given.spareSegments,
  };
  return resolveLogOptions(withoutUndefined(options));
}

function withoutUndefined(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
