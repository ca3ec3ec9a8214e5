import { beforeEach, describe, expect, test } from "vitest";
import type { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import { WritePace } from "../../../../src/strategies/tunable/write-pace.ts";
import { answer, NODES, sentOf } from "./write-world.ts";

const MAX_LAGGING = 2_048;
const TIMEOUT_MS = 250;
const [, , LAST] = NODES as [string, string, (typeof NODES)[number]];

let pace: WritePace;
let rounds: number;
beforeEach(() => {
  pace = new WritePace();
  rounds = 0;
});

/** A write that two of three have acknowledged, in a round of its own. */
function written(): PendingWrite {
  const pending = answer(sentOf(), "stored", "stored");
  pending.roundId = ++rounds;
  return pending;
}

function lag(count: number, nowMs = 0): readonly PendingWrite[] {
  const writes = Array.from({ length: count }, written);
  for (const write of writes) pace.lag(write, nowMs);
  return writes;
}

describe("answers wait", () => {
  test("only where as many copies are on their way as may be", () => {
    lag(MAX_LAGGING - 1);
    expect(pace.mayAnswer).toBe(true);
    lag(1);
    expect(pace.mayAnswer).toBe(false);
  });

  test("and go in the order in which they came, once a copy has arrived; ended ones never", () => {
    const [first] = lag(MAX_LAGGING) as [PendingWrite];
    const [ended, second, third] = [written(), written(), written()];
    for (const write of [ended, second, third]) pace.hold(write);
    expect(second.paced).toBe(true);
    expect(pace.next()).toBeUndefined();
    ended.ended = true;
    pace.onAck(first.roundId, LAST, true);
    expect(pace.next()).toBe(second);
    pace.lag(second, 0);
    expect(pace.next()).toBeUndefined();
  });
});

describe("a copy that is acknowledged after the answer", () => {
  test("is one more that holds it, and the last one ends the waiting", () => {
    const [write] = lag(1) as [PendingWrite];
    expect(pace.onAck(write.roundId, LAST, true)).toBe(write);
    expect([write.held, pace.size]).toEqual([0b111, 0]);
    expect(pace.onAck(write.roundId, LAST, true)).toBeUndefined();
  });

  test("is none that holds it if it was refused there", () => {
    const [write] = lag(1) as [PendingWrite];
    pace.onAck(write.roundId, LAST, false);
    expect([write.held, pace.size]).toEqual([0b011, 0]);
  });
});

test("copies that are overdue are given up, each at its own time", () => {
  const early = lag(2, 0);
  const late = lag(1, 100);
  expect(pace.overdueAtMs).toBe(TIMEOUT_MS);
  expect(pace.giveUp(TIMEOUT_MS - 1)).toEqual([]);
  expect(new Set(pace.giveUp(TIMEOUT_MS))).toEqual(new Set(early));
  expect([pace.overdueAtMs, pace.size]).toEqual([100 + TIMEOUT_MS, 1]);
  expect(pace.giveUp(100 + TIMEOUT_MS)).toEqual(late);
  expect(pace.overdueAtMs).toBe(Number.POSITIVE_INFINITY);
});
