import { expect, test } from "vitest";
import { parseDiskOptions } from "../../../../src/storage/disk/disk-options.ts";

test("without options the defaults hold", () => {
  expect(parseDiskOptions({})).toMatchObject({
    path: "./data",
    commitIntervalMs: 5_000,
    maxPendingBytes: 64 * 1024 * 1024,
    maxViewAgeMs: 60_000,
    verifyAtOpen: true,
  });
});

test("durations and sizes take numbers and text, and what is undefined is not given", () => {
  const options = { type: "disk", path: "/x", commitInterval: "1s", maxPendingBytes: "2MiB" };
  expect(
    parseDiskOptions({ ...options, maxViewAge: 2_000, verifyAtOpen: undefined }),
  ).toMatchObject({
    path: "/x",
    commitIntervalMs: 1_000,
    maxPendingBytes: 2 * 1024 * 1024,
    maxViewAgeMs: 2_000,
    verifyAtOpen: true,
  });
});

test.each([
  ["path", ""],
  ["path", 7],
  ["path", "a\0b"],
  ["commitInterval", 0],
  ["commitInterval", "2m"],
  ["maxPendingBytes", "1KiB"],
  ["maxViewAge", "1ms"],
  ["verifyAtOpen", "yes"],
  ["lazySync", "5m"],
  ["maxBatchBytes", "128MiB"],
  ["noSuchOption", 1],
])("storage.%s: %j is refused by name", (name, value) => {
  expect(() => parseDiskOptions({ [name]: value })).toThrow(
    expect.objectContaining({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(`storage.${name} `),
    }),
  );
});

test("what a refusal names as allowed is taken", () => {
  for (const [name, value, most] of [
    ["lazySync", "5m", "1m"],
    ["slowSync", "1h", "10m"],
    ["maxBatchBytes", "128MiB", "64MiB"],
    ["segmentBytes", "2GiB", "1GiB"],
  ] as const) {
    expect(() => parseDiskOptions({ [name]: value })).toThrow(` to ${most}, as `);
    expect(() => parseDiskOptions({ [name]: most })).not.toThrow();
  }
});
