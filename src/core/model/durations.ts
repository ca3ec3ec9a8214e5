import { invalidConfiguration } from "./configuration-problems.ts";
import { formatQuantity, parseQuantity } from "./quantities.ts";

/** In milliseconds. The first unit that divides a number without a rest is the one it is shown in. */
const UNITS = Object.freeze({ d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 });

/** Bounds, both allowed, in the unit that the name of the function says. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Whole milliseconds of a `Duration`: a number of them, or text with a unit (`"250ms"`, `"1.5s"`,
 * `"2m"`, `"1h"`, `"7d"`). Text without a unit is refused: it could mean anything.
 *
 * @param path where the value stands, for the message.
 * @throws CapstanError `INVALID_CONFIGURATION`, naming path, value and what is allowed.
 */
export function parseDurationMs(value: unknown, path: string, bounds: Bounds): number {
  const ms = parseQuantity(value, UNITS);
  if (ms !== undefined && ms >= bounds.min && ms <= bounds.max) return ms;
  const from = formatQuantity(bounds.min, UNITS);
  const to = formatQuantity(bounds.max, UNITS);
  const allowed = [
    `a duration from ${from} to ${to}, as milliseconds or as text such as "250ms", "5s", "2m"`,
  ];
  throw invalidConfiguration([{ path, value, allowed }]);
}
