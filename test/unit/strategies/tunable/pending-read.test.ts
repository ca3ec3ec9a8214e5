import { describe, expect, test } from "vitest";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { floorRecordOf } from "../../../../src/strategies/leaderless/settling/stamped-settling.ts";
import { isBehind } from "../../../../src/strategies/tunable/pending-read.ts";

function recordOf(time: number, value?: string): Uint8Array {
  const stamp = { time, actorHigh: 3, actorLow: 4 };
  return makeKeyedRecord(Buffer.from("k"), stamp, value === undefined ? value : Buffer.from(value))
    .record;
}

describe("a replica's answer is behind", () => {
  test("a newer write, if it is older or nothing at all", () => {
    const newest = recordOf(10);
    expect(isBehind(undefined, newest)).toBe(true);
    expect(isBehind(recordOf(9, "v"), newest)).toBe(true);
    expect(isBehind(recordOf(9), newest)).toBe(true);
    expect(isBehind(floorRecordOf(9), newest)).toBe(true);
    expect(isBehind(newest, newest)).toBe(false);
    expect(isBehind(recordOf(11, "v"), newest)).toBe(false);
  });

  test("another replica's floor, if it shows something alive from below, and not otherwise", () => {
    const floor = floorRecordOf(10);
    expect(isBehind(recordOf(9, "v"), floor)).toBe(true);
    for (const answer of [undefined, recordOf(9), floorRecordOf(9), floor, recordOf(11, "v")]) {
      expect(isBehind(answer, floor)).toBe(false);
    }
  });
});
