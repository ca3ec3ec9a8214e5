import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import {
  CLOCK_BOUND,
  parseRaftSettings,
  RAFT_LEVELS,
  timingOf,
} from "../../../../src/strategies/raft/settings.ts";

const PATH = "keyspaces.accounts";

function refusalOf(options: Readonly<Record<string, unknown>>): CapstanError {
  try {
    parseRaftSettings(options, PATH);
  } catch (error) {
    if (error instanceof CapstanError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(options)} was not refused`);
}

describe("parseRaftSettings", () => {
  test("fills in strong, half a second and ten minutes", () => {
    const settings = parseRaftSettings({}, PATH);
    expect(settings).toMatchObject({ read: "strong", write: "strong", sessionLifetimeMs: 600_000 });
    expect(settings.timing.electionTimeoutMs).toBe(500);
    for (const level of RAFT_LEVELS) expect(settings.deadlinesMs[level]).toBe(3_000);
  });

  test("takes levels, durations and deadlines by level", () => {
    const settings = parseRaftSettings(
      {
        read: "lease",
        write: "quorum",
        electionTimeout: "2s",
        sessionLifetime: "1h",
        retainedLog: "64KiB",
        deadlines: { strong: "250ms" },
      },
      PATH,
    );
    expect(settings).toMatchObject({
      read: "lease",
      write: "quorum",
      sessionLifetimeMs: 3_600_000,
      timing: { electionTimeoutMs: 2_000 },
      deadlinesMs: { strong: 250, lease: 3_000 },
      limits: { retainedBytes: 65_536, snapshotChunkBytes: 65_536 },
    });
  });

  test.each([
    [{ read: "all" }, `${PATH}.read`, "all"],
    [{ write: 2 }, `${PATH}.write`, "2"],
    [{ partitionPolicy: "prefer-consistency" }, `${PATH}.partitionPolicy`, "no such option"],
    [{ electionTimeout: "10ms" }, `${PATH}.electionTimeout`, "10ms"],
    [{ retainedLog: "1B" }, `${PATH}.retainedLog`, "1B"],
    [{ sessionLifetime: "2d" }, `${PATH}.sessionLifetime`, "2d"],
    [{ deadlines: 5 }, `${PATH}.deadlines`, "5"],
    [{ deadlines: { all: "1s" } }, `${PATH}.deadlines.all`, "1s"],
    [{ deadlines: { strong: 0 } }, `${PATH}.deadlines.strong`, "0"],
  ])("refuses %j, naming path and value", (options, path, value) => {
    const fault = refusalOf(options);
    expect(fault.code).toBe("INVALID_CONFIGURATION");
    expect(fault.message).toContain(path);
    expect(fault.message).toContain(value);
  });

  test.each([50, 500, 60_000])(
    "keeps a lease of %i ms shorter than any draw by the bound",
    (timeoutMs) => {
      const { leaseMs, electionLowerMs, heartbeatMs } = timingOf(timeoutMs);
      expect(leaseMs).toBeLessThan(electionLowerMs * (1 - CLOCK_BOUND));
      expect(leaseMs).toBeGreaterThan(heartbeatMs);
    },
  );
});
