import { refuseSetting } from "../../core/model/configuration-problems.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";

/** How replicas are made equal in the background. */
export interface RepairSettings {
  /** Between two comparisons of a pair of replicas that were equal. Infinity: none are made. */
  readonly intervalMs: number;
  /** That one replica sends at most while it repairs others. */
  readonly bytesPerSecond: number;
  /** Hints that one replica keeps at most; 0: none. A node that stands in keeps so many copies. */
  readonly maxHints: number;
  /** Of the copies that a node that stands in keeps for one replica of a shard; beyond, it takes no more. */
  readonly maxHintBytes: number;
  /** Older hints are dropped. */
  readonly hintMaxAgeMs: number;
  /**
   * How old a deletion is before its tombstone may go, once every replica is known to have it; what
   * a client's late write may be old, too. Infinity: tombstones stay.
   */
  readonly reapAfterMs: number;
}

export const DEFAULT_REPAIR: RepairSettings = Object.freeze({
  intervalMs: 10_000,
  bytesPerSecond: 1024 * 1024,
  maxHints: 10_000,
  maxHintBytes: 16 * 1024 * 1024,
  hintMaxAgeMs: 3 * 3_600_000,
  reapAfterMs: 10 * 60_000,
});

const OPTIONS = Object.freeze([
  "interval",
  "bytesPerSecond",
  "maxHints",
  "maxHintBytes",
  "hintMaxAge",
  "reapAfter",
]);
const MAX_HINTS = 1_000_000;
const INTERVAL_MS = Object.freeze({ min: 100, max: 86_400_000 });
const REAP_AFTER_MS = Object.freeze({ min: 1_000, max: 365 * 86_400_000 });
const HINT_BYTES = Object.freeze({ min: 1024, max: 16 * 1024 * 1024 * 1024 });
const BYTES_PER_SECOND = Object.freeze({ min: 1024, max: 1024 * 1024 * 1024 });

/**
 * Checks the option `repair` of a leaderless keyspace; `path` is where it stands.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` naming path, value and what is allowed.
 */
export function parseRepairSettings(value: unknown, path: string): RepairSettings {
  if (value === undefined) return DEFAULT_REPAIR;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuseSetting(path, value, "not a map of options", OPTIONS);
  }
  const given = value as Readonly<Record<string, unknown>>;
  for (const [name, option] of Object.entries(given)) {
    if (!OPTIONS.includes(name))
      refuseSetting(`${path}.${name}`, option, "no such option", OPTIONS);
  }
  const { interval, bytesPerSecond, maxHints, maxHintBytes, hintMaxAge, reapAfter } = given;
  return Object.freeze({
    intervalMs: parseInterval(interval, `${path}.interval`),
    bytesPerSecond:
      bytesPerSecond === undefined
        ? DEFAULT_REPAIR.bytesPerSecond
        : parseSizeBytes(bytesPerSecond, `${path}.bytesPerSecond`, BYTES_PER_SECOND),
    maxHints: parseMaxHints(maxHints, `${path}.maxHints`),
    maxHintBytes:
      maxHintBytes === undefined
        ? DEFAULT_REPAIR.maxHintBytes
        : parseSizeBytes(maxHintBytes, `${path}.maxHintBytes`, HINT_BYTES),
    hintMaxAgeMs:
      hintMaxAge === undefined
        ? DEFAULT_REPAIR.hintMaxAgeMs
        : parseDurationMs(hintMaxAge, `${path}.hintMaxAge`, INTERVAL_MS),
    reapAfterMs: parseReapAfter(reapAfter, `${path}.reapAfter`),
  });
}

function parseInterval(value: unknown, path: string): number {
  if (value === undefined) return DEFAULT_REPAIR.intervalMs;
  return value === "off" ? Number.POSITIVE_INFINITY : parseDurationMs(value, path, INTERVAL_MS);
}

function parseReapAfter(value: unknown, path: string): number {
  if (value === undefined) return DEFAULT_REPAIR.reapAfterMs;
  return value === "off" ? Number.POSITIVE_INFINITY : parseDurationMs(value, path, REAP_AFTER_MS);
}

function parseMaxHints(value: unknown, path: string): number {
  if (value === undefined) return DEFAULT_REPAIR.maxHints;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_HINTS) {
    return value as number;
  }
  return refuseSetting(path, value, "no number of hints", [`0 to ${MAX_HINTS}`]);
}
