import { expect, test } from "vitest";
import type { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import { SlowWrites } from "../../../../src/strategies/tunable/slow-writes.ts";

const DELAY_MS = 1_000;

function write(roundAtMs: number, paced = false): PendingWrite {
  return { roundAtMs, paced } as PendingWrite;
}

test("only a write that has more time than an acknowledgement stays good is slow", () => {
  const slow = new SlowWrites(DELAY_MS);
  const [quick, patient] = [write(0), write(0)];
  slow.maybeAdd(quick, 1_000, 0);
  expect(slow.dueAtMs).toBe(Number.POSITIVE_INFINITY);
  slow.maybeAdd(patient, 1_001, 0);
  expect([slow.has(quick), slow.has(patient)]).toEqual([false, true]);
  expect(slow.dueAtMs).toBe(1_000);
});

test("a round is due when it is as old as that, and then again", () => {
  const slow = new SlowWrites(DELAY_MS);
  const [first, second] = [write(0), write(300)];
  slow.maybeAdd(first, 9_000, 0);
  slow.maybeAdd(second, 9_000, 300);
  expect(slow.takeDue(999)).toEqual([]);
  expect(slow.takeDue(1_000)).toEqual([first]);
  expect(slow.dueAtMs).toBe(1_300);
  first.roundAtMs = 1_000;
  expect(slow.takeDue(1_300)).toEqual([second]);
  expect(slow.dueAtMs).toBe(2_000);
});

test("one that is held back is not sent again before it goes on, one that has ended never", () => {
  const slow = new SlowWrites(DELAY_MS);
  const [held, ended] = [write(0, true), write(0)];
  slow.maybeAdd(held, 9_000, 0);
  slow.maybeAdd(ended, 9_000, 0);
  slow.end(ended);
  expect(slow.takeDue(1_000)).toEqual([]);
  expect(slow.dueAtMs).toBe(Number.POSITIVE_INFINITY);
  held.paced = false;
  slow.goOn(held);
  expect(slow.takeDue(1_010)).toEqual([held]);
});
