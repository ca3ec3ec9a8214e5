import { CapstanError } from "../../../core/model/errors.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

export interface SegmentedLogOptions {
  /** Size of one file, in bytes: 4 KiB to 1 GiB, a multiple of 4 KiB. Default 16 MiB. */
  readonly segmentBytes?: number;
  /**
   * Records of `os` and `memory` durability are synced at most this long after they were written,
   * in milliseconds: 1 to 60,000. Default 200.
   */
  readonly lazySyncMs?: number;
  /** A sync that runs for longer makes the log `slow`, in milliseconds: 1 to 600,000. Default 1,000. */
  readonly slowSyncMs?: number;
  /** Bytes of one write and sync, if one record is not more: 4 KiB to 64 MiB. Default 1 MiB. */
  readonly maxBatchBytes?: number;
  /**
   * Segments beyond twice what is still needed before cold records are rewritten at the tail: 1 to
   * 1,000. Default 4.
   */
  readonly spareSegments?: number;
  /** Positions go on above this one, whatever was found. Default 0. */
  readonly floorPosition?: number;
}

export type ResolvedLogOptions = Readonly<Required<SegmentedLogOptions>>;

interface OptionRule {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly multipleOf: number;
}

const RULES: Readonly<Record<keyof SegmentedLogOptions, OptionRule>> = Object.freeze({
  segmentBytes: rule(16 * MIB, 4 * KIB, 1024 * MIB, 4 * KIB),
  lazySyncMs: rule(200, 1, 60_000),
  slowSyncMs: rule(1_000, 1, 600_000),
  maxBatchBytes: rule(MIB, 4 * KIB, 64 * MIB),
  spareSegments: rule(4, 1, 1_000),
  floorPosition: rule(0, 0, Number.MAX_SAFE_INTEGER),
});

/** @throws CapstanError `INVALID_CONFIGURATION`, naming `storage.<option>`, value and bounds. */
export function resolveLogOptions(options: SegmentedLogOptions): ResolvedLogOptions {
  return {
    segmentBytes: checked("segmentBytes", options.segmentBytes),
    lazySyncMs: checked("lazySyncMs", options.lazySyncMs),
    slowSyncMs: checked("slowSyncMs", options.slowSyncMs),
    maxBatchBytes: checked("maxBatchBytes", options.maxBatchBytes),
    spareSegments: checked("spareSegments", options.spareSegments),
    floorPosition: checked("floorPosition", options.floorPosition),
  };
}

function checked(name: keyof SegmentedLogOptions, value: unknown): number {
  const { fallback, min, max, multipleOf } = RULES[name];
  if (value === undefined) return fallback;
  const isWhole = typeof value === "number" && Number.isSafeInteger(value);
  if (isWhole && value >= min && value <= max && value % multipleOf === 0) return value;
  const step = multipleOf === 1 ? "" : `, a multiple of ${multipleOf}`;
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `storage.${name} is ${String(value)}; allowed is a whole number from ${min} to ${max}${step}`,
    { details: { path: `storage.${name}` } },
  );
}

function rule(fallback: number, min: number, max: number, multipleOf = 1): OptionRule {
  return Object.freeze({ fallback, min, max, multipleOf });
}
