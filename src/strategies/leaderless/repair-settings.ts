import { parseDurationMs } from "../../core/model/durations.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";

/** How replicas are made equal in the background. */
export interface RepairSettings {
  /** Between two comparisons of a pair of replicas that were equal. Infinity: none are made. */
  readonly intervalMs: number;
  /** That one replica sends at most while it repairs others. */
  readonly bytesPerSecond: number;
}

export const DEFAULT_REPAIR: RepairSettings = Object.freeze({
  intervalMs: 10_000,
  bytesPerSecond: 1024 * 1024,
});

const OPTIONS = Object.freeze(["interval", "bytesPerSecond"]);
const INTERVAL_MS = Object.freeze({ min: 100, max: 86_400_000 });
const BYTES_PER_SECOND = Object.freeze({ min: 1024, max: 1024 * 1024 * 1024 });

/**
 * Checks the option `repair` of a leaderless keyspace; `path` is where it stands.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` naming path, value and what is allowed.
 */
export function parseRepairSettings(value: unknown, path: string): RepairSettings {
  if (value === undefined) return DEFAULT_REPAIR;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(path, value, "not a map of options");
  }
  const given = value as Readonly<Record<string, unknown>>;
  for (const [name, option] of Object.entries(given)) {
    if (!OPTIONS.includes(name)) refuse(`${path}.${name}`, option, "no such option");
  }
  const { interval, bytesPerSecond } = given;
  return Object.freeze({
    intervalMs: parseInterval(interval, `${path}.interval`),
    bytesPerSecond:
      bytesPerSecond === undefined
        ? DEFAULT_REPAIR.bytesPerSecond
        : parseSizeBytes(bytesPerSecond, `${path}.bytesPerSecond`, BYTES_PER_SECOND),
  });
}

function parseInterval(value: unknown, path: string): number {
  if (value === undefined) return DEFAULT_REPAIR.intervalMs;
  return value === "off" ? Number.POSITIVE_INFINITY : parseDurationMs(value, path, INTERVAL_MS);
}

function refuse(path: string, value: unknown, problem: string): never {
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `${path}: ${JSON.stringify(value)} is ${problem}; allowed: ${OPTIONS.join(", ")}`,
    { allowed: OPTIONS, details: { problems: [{ path, value, allowed: OPTIONS }] } },
  );
}
