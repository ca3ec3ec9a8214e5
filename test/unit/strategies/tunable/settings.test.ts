import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import {
  DEFAULT_DEADLINES_MS,
  parseTunableSettings,
} from "../../../../src/strategies/tunable/settings.ts";

const PATH = "keyspaces.carts";

function refusalOf(options: Readonly<Record<string, unknown>>, replicas?: number): CapstanError {
  try {
    parseTunableSettings(options, PATH, replicas);
  } catch (error) {
    expect(error).toBeInstanceOf(CapstanError);
    return error as CapstanError;
  }
  throw new Error(`${JSON.stringify(options)} was not refused`);
}

describe("parseTunableSettings", () => {
  test("fills in quorum, prefer-consistency and the deadlines", () => {
    expect(parseTunableSettings({}, PATH, 3)).toEqual({
      read: "quorum",
      write: "quorum",
      partitionPolicy: "prefer-consistency",
      deadlinesMs: DEFAULT_DEADLINES_MS,
      rebuildDelayMs: 1_000,
      repair: {
        intervalMs: 10_000,
        bytesPerSecond: 1_048_576,
        maxHints: 10_000,
        maxHintBytes: 16_777_216,
        hintMaxAgeMs: 10_800_000,
        reapAfterMs: 600_000,
      },
      hedge: "auto",
      digestAbove: 4_096,
    });
  });

  test("takes how often replicas are compared, and how much repairing may send", () => {
    const repair = {
      ...{ interval: "2s", bytesPerSecond: "64KiB" },
      ...{ maxHints: 0, maxHintBytes: "1MiB", hintMaxAge: "1m" },
    };
    expect(parseTunableSettings({ repair }, PATH, 3).repair).toEqual({
      intervalMs: 2_000,
      bytesPerSecond: 65_536,
      maxHints: 0,
      maxHintBytes: 1_048_576,
      hintMaxAgeMs: 60_000,
      reapAfterMs: 600_000,
    });
    const off = parseTunableSettings({ repair: { interval: "off" } }, PATH, 3);
    expect(off.repair.intervalMs).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([
    [{ repair: "off" }, `${PATH}.repair`, "interval, bytesPerSecond"],
    [{ repair: { every: 5 } }, `${PATH}.repair.every`, "interval, bytesPerSecond"],
    [{ repair: { maxHints: -1 } }, `${PATH}.repair.maxHints`, "0 to 1000000"],
    [{ repair: { maxHintBytes: "10" } }, `${PATH}.repair.maxHintBytes`, "1KiB"],
    [{ repair: { interval: 0 } }, `${PATH}.repair.interval`, "0"],
    [{ digestAbove: "much" }, `${PATH}.digestAbove`, "much"],
    [{ hedge: "now and then" }, `${PATH}.hedge`, "auto, off, always"],
    [{ repair: { bytesPerSecond: "x" } }, `${PATH}.repair.bytesPerSecond`, "x"],
  ])("refuses %j", (options, path, part) => {
    const { message, code } = refusalOf(options);
    expect(code).toBe("INVALID_CONFIGURATION");
    expect(message).toContain(path);
    expect(message).toContain(part);
  });

  test("takes snake_case for policies, and durations with units", () => {
    const settings = parseTunableSettings(
      { partitionPolicy: "prefer_availability", deadlines: { quorum: "2s" }, read: "strong" },
      PATH,
      3,
    );
    expect(settings).toMatchObject({ partitionPolicy: "prefer-availability", read: "strong" });
    expect(settings.deadlinesMs).toMatchObject({ quorum: 2_000, one: 50 });
    expect(settings.rebuildDelayMs).toBe(2_000);
  });

  test.each([
    [{ read: "lease" }, `${PATH}.read`, "lease"],
    [{ write: 2 }, `${PATH}.write`, "2"],
    [{ partitionPolicy: "prefer-luck" }, `${PATH}.partitionPolicy`, "prefer-luck"],
    [{ deadlines: 5 }, `${PATH}.deadlines`, "5"],
    [{ deadlines: { lease: 5 } }, `${PATH}.deadlines.lease`, "lease"],
    [{ deadlines: { one: "-1s" } }, `${PATH}.deadlines.one`, "-1s"],
    [{ deadlines: { one: 0 } }, `${PATH}.deadlines.one`, "0"],
    [{ redas: "one" }, `${PATH}.redas`, "one"],
  ])("refuses %j, naming path and value", (options, path, value) => {
    const fault = refusalOf(options, 3);
    expect(fault.code).toBe("INVALID_CONFIGURATION");
    expect(fault.message).toContain(path);
    expect(fault.message).toContain(value);
  });

  // A keyspace of two replicas with reads at `three` opened, and then failed at every call.
  test.each([
    ["read", "three", 2],
    ["write", "two", 1],
  ])("refuses %s: %j with %i replicas: it could never be met", (field, level, replicas) => {
    const fault = refusalOf({ [field]: level }, replicas);
    expect(fault.code).toBe("INVALID_CONFIGURATION");
    expect(fault.message).toContain(`the ${replicas} replicas of the keyspace`);
    expect(fault.allowed).not.toContain(level);
    expect(fault.allowed).toContain("quorum");
  });
});
