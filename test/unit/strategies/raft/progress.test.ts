import { beforeEach, expect, test } from "vitest";
import type { NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import { Progress } from "../../../../src/strategies/raft/progress.ts";

const LEAST_WAIT_MS = 100;
const ANSWER_MS = 1_000;
const N2 = { node: "n2" as NodeId, original: true };

let progress: Progress;

/** It has the log up to 3, and what follows is sent without waiting. */
beforeEach(() => {
  progress = new Progress(4, LEAST_WAIT_MS);
  progress.sent(3, 0, 0, 1);
  progress.accepted(3, 0, 1);
  expect(progress).toMatchObject({ state: "replicate", matchIndex: 3, nextIndex: 4 });
});

function isLostAt(nowMs: number, heldIndex = progress.matchIndex): boolean {
  progress.held(heldIndex, nowMs);
  return progress.hasLost(nowMs, ANSWER_MS);
}

test("entries count as lost after the least wait, where nothing is known of the link", () => {
  progress.sent(4, 10, 1_000, 2);
  expect(isLostAt(1_100)).toBe(false);
  expect(isLostAt(1_101)).toBe(true);
});

test("entries count as lost after twice what the last ones took", () => {
  progress.sent(4, 10, 1_000, 2);
  progress.accepted(4, 1_300, 2);
  progress.sent(5, 10, 2_000, 3);
  expect(isLostAt(2_600)).toBe(false);
  expect(isLostAt(2_601)).toBe(true);
});

test("what the follower's disk takes is no part of what entries take", () => {
  progress.sent(4, 10, 1_000, 2);
  progress.held(4, 1_050);
  progress.accepted(4, 1_900, 2);
  progress.sent(5, 10, 2_000, 3);
  expect(isLostAt(2_101)).toBe(true);
});

test("entries that it has not answered count as lost once its disk should have them", () => {
  progress.sent(4, 10, 1_000, 2);
  expect(isLostAt(1_050, 4)).toBe(false);
  expect(isLostAt(2_000, 4)).toBe(false);
  expect(isLostAt(2_001, 4)).toBe(true);
});

test("each wait in vain makes the next one longer, until it is known how long entries take", () => {
  progress.sent(4, 10, 1_000, 2);
  expect(isLostAt(1_101)).toBe(true);
  progress.replicate();
  progress.sent(4, 10, 2_000, 3);
  expect(isLostAt(2_150)).toBe(false);
  // It was sent twice: that it comes at once may be due to the first time.
  progress.accepted(4, 2_151, 3);
  progress.sent(5, 10, 3_000, 4);
  expect(isLostAt(3_150)).toBe(false);
  progress.accepted(5, 3_151, 4);
  progress.sent(6, 10, 4_000, 5);
  progress.accepted(6, 4_010, 5);
  progress.sent(7, 10, 5_000, 6);
  expect(isLostAt(5_101)).toBe(true);
});

test("entries taken for lost that come late are not sent again", () => {
  progress.sent(4, 10, 1_000, 2);
  progress.sent(5, 10, 1_000, 3);
  progress.probe(4);
  progress.sent(3, 0, 1_200, 4);
  progress.accepted(4, 1_300, 2);
  expect(progress).toMatchObject({ state: "probe", awaits: true, matchIndex: 4, nextIndex: 5 });
  progress.accepted(5, 1_300, 3);
  // The question came behind them.
  progress.accepted(3, 1_300, 4);
  expect(progress).toMatchObject({ state: "replicate", awaits: false, nextIndex: 6 });
});

test("an answer that comes before the question was sent does not answer it", () => {
  progress.sent(4, 10, 1_000, 2);
  progress.probe(4);
  progress.accepted(4, 1_300, 2);
  expect(progress).toMatchObject({ state: "probe", awaits: false, nextIndex: 5 });
});

test("the answer to any of the questions will do, and those to the others change nothing", () => {
  progress.probe(4);
  expect(progress.isAskedAgain).toBe(false);
  progress.sent(3, 0, 1_000, 2);
  expect(progress.isAskedAgain).toBe(true);
  progress.sent(3, 0, 1_100, 3);
  progress.accepted(3, 1_200, 2);
  expect(progress).toMatchObject({ state: "replicate", nextIndex: 4, isAskedAgain: false });
  progress.sent(4, 10, 1_200, 4);
  progress.accepted(3, 1_300, 3);
  expect(progress).toMatchObject({ state: "replicate", nextIndex: 5 });
  expect(isLostAt(1_301)).toBe(true);
});

test("a follower that has lost its tail is asked further back, once", () => {
  progress.sent(4, 10, 1_000, 2);
  progress.sent(5, 10, 1_000, 3);
  expect(progress.rejected(2, 3, 2)).toBe(true);
  expect(progress).toMatchObject({ state: "probe", matchIndex: 1, nextIndex: 2 });
  progress.sent(1, 0, 1_000, 4);
  expect(progress.rejected(3, 4, 1)).toBe(false);
  progress.accepted(1, 1_100, 4);
  expect(progress).toMatchObject({ state: "replicate", matchIndex: 1, nextIndex: 2 });
});

test("of another store nothing is known, and what it is sent is sent for the first time", () => {
  progress.meet({ ...N2, storeId: "a" as StoreId });
  progress.meet({ ...N2, storeId: "b" as StoreId });
  expect(progress).toMatchObject({ state: "probe", matchIndex: 0, nextIndex: 1 });
  progress.sent(0, 0, 1_000, 2);
  progress.accepted(0, 1_000, 2);
  progress.sent(3, 10, 1_000, 3);
  progress.accepted(3, 1_300, 3);
  progress.sent(4, 10, 2_000, 4);
  expect(isLostAt(2_600)).toBe(false);
});
