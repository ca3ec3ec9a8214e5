import { describe, expect, test } from "vitest";
import { parseDurationMs } from "../../../../src/core/model/durations.ts";
import { type CapstanError, isCapstanError } from "../../../../src/core/model/errors.ts";
import { parseSizeBytes } from "../../../../src/core/model/sizes.ts";

const HOUR_MS = 3_600_000;
const ANY = { min: 0, max: Number.MAX_SAFE_INTEGER };

describe("parseDurationMs", () => {
  test.each([
    [250, 250],
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5s", 1_500],
    ["1.1s", 1_100],
    ["2m", 120_000],
    ["1h", HOUR_MS],
    ["7d", 168 * HOUR_MS],
    ["2 m", 120_000],
    ["0s", 0],
  ])("%j is %i ms", (value, expected) => {
    expect(parseDurationMs(value, "p", ANY)).toBe(expected);
  });

  test.each([
    "250",
    "",
    "s",
    "-5s",
    "5 s s",
    "5sec",
    "1.5ms",
    "1e3ms",
    "NaNs",
    "Infinitys",
    "5constructor",
    0.5,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    null,
    {},
    5n,
  ])("refuses %s", (value) => {
    expect(faultOf(() => parseDurationMs(value, "p", ANY)).code).toBe("INVALID_CONFIGURATION");
  });

  test("names path, value and what is allowed", () => {
    const bounds = { min: 1, max: 90_000 };
    const error = faultOf(() => parseDurationMs("2h", "keyspaces.a.deadlines.one", bounds));
    expect(error.message).toBe(
      'keyspaces.a.deadlines.one is "2h"; allowed: a duration from 1ms to 90s, as milliseconds ' +
        'or as text such as "250ms", "5s", "2m"',
    );
    expect(error.details?.problems).toMatchObject([
      { path: "keyspaces.a.deadlines.one", value: "2h" },
    ]);
  });

  test("takes its bounds, and nothing beyond", () => {
    const bounds = { min: 10, max: 20 };
    expect(parseDurationMs(10, "p", bounds)).toBe(10);
    expect(parseDurationMs("20ms", "p", bounds)).toBe(20);
    expect(() => parseDurationMs(9, "p", bounds)).toThrow("p is 9; allowed");
    expect(() => parseDurationMs(21, "p", bounds)).toThrow("p is 21; allowed");
  });
});

describe("parseSizeBytes", () => {
  test.each([
    [512, 512],
    ["512B", 512],
    ["64KiB", 65_536],
    ["1MiB", 1_048_576],
    ["0.5MiB", 524_288],
    ["1MB", 1_000_000],
    ["1kB", 1_000],
    ["2GiB", 2_147_483_648],
  ])("%j is %i bytes", (value, expected) => {
    expect(parseSizeBytes(value, "p", ANY)).toBe(expected);
  });

  test.each(["1mib", "1M", "1", "0.3B", "-1KiB", 1.5, undefined, []])("refuses %s", (value) => {
    expect(faultOf(() => parseSizeBytes(value, "p", ANY)).code).toBe("INVALID_CONFIGURATION");
  });

  test("names path, value and what is allowed", () => {
    const error = faultOf(() => parseSizeBytes("9MiB", "limits.x", { min: 1024, max: 4 << 20 }));
    expect(error.message).toContain('limits.x is "9MiB"; allowed: a size from 1KiB to 4MiB');
  });
});

function faultOf(act: () => unknown): CapstanError {
  try {
    act();
  } catch (error) {
    if (isCapstanError(error)) return error;
  }
  throw new Error("no CapstanError was thrown");
}
