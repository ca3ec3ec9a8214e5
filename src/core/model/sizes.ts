import { invalidConfiguration } from "./configuration-problems.ts";
import type { Bounds } from "./durations.ts";
import { formatQuantity, parseQuantity } from "./quantities.ts";

const KIB = 1024;

/** In bytes. The first unit that divides a number without a rest is the one it is shown in. */
const UNITS = Object.freeze({
  GiB: KIB ** 3,
  MiB: KIB ** 2,
  KiB: KIB,
  GB: 1e9,
  MB: 1e6,
  kB: 1e3,
  KB: 1e3,
  B: 1,
});

/**
 * Bytes of a `Size`: a whole number of them, or text with a unit (`"512B"`, `"64KiB"`, `"1MiB"`,
 * `"1MB"`).
 *
 * @param path where the value stands, for the message.
 * @throws CapstanError `INVALID_CONFIGURATION`, naming path, value and what is allowed.
 */
export function parseSizeBytes(value: unknown, path: string, bounds: Bounds): number {
  const bytes = parseQuantity(value, UNITS);
  if (bytes !== undefined && bytes >= bounds.min && bytes <= bounds.max) return bytes;
  const from = formatQuantity(bounds.min, UNITS);
  const to = formatQuantity(bounds.max, UNITS);
  const allowed = [
    `a size from ${from} to ${to}, as bytes or as text such as "512B", "64KiB", "1MiB"`,
  ];
  throw invalidConfiguration([{ path, value, allowed }]);
}
