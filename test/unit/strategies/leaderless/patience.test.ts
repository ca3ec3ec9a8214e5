import { expect, test } from "vitest";
import { Patience } from "../../../../src/strategies/leaderless/patience.ts";

/** When the question is asked, the first time at 0, as long as no answer comes. */
function asks(patience: Patience, untilMs: number): readonly number[] {
  const atMs: number[] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 500) {
    if (!patience.isDue(nowMs)) continue;
    patience.asked(nowMs, nowMs);
    atMs.push(nowMs);
  }
  return atMs;
}

test("asks again after two seconds, and then after half as long again, up to half a minute", () => {
  const atMs = [0, 2_000, 5_000, 9_500, 16_500, 27_000, 42_500, 65_500, 95_500, 125_500];
  expect(asks(new Patience(), 126_000)).toEqual(atMs);
});

test("waits twice as long as the last answer took from the asking that it is to", () => {
  const patience = new Patience();
  expect(asks(patience, 6_000)).toEqual([0, 2_000, 5_000]);
  patience.answered(0, 8_000);
  expect(asks(patience, 15_500)).toEqual([0]);
  expect(patience.isDue(16_000)).toBe(true);
  patience.asked(16_000, 16_000);
  // That of before was lost, as may be half of all: it is no slower for that.
  patience.answered(16_000, 16_100);
  expect(asks(patience, 2_000)).toEqual([0, 2_000]);
});

test("awaits an answer to any asking of the question, and to none of one before", () => {
  const patience = new Patience();
  expect([patience.isWaiting, patience.awaits(7)]).toEqual([false, false]);
  patience.asked(7, 0);
  patience.asked(8, 2_000);
  expect([7, 8, 9].map((id) => patience.awaits(id))).toEqual([true, true, false]);
  patience.answered(7, 3_000);
  patience.asked(9, 3_000);
  expect([7, 8, 9].map((id) => patience.awaits(id))).toEqual([false, false, true]);
  patience.forget();
  expect([patience.isWaiting, patience.awaits(9)]).toEqual([false, false]);
});

test("remembers the latest askings alone of a question that is never answered", () => {
  const patience = new Patience();
  for (let id = 1; id <= 100; id++) patience.asked(id, id * 30_000);
  const awaited = Array.from({ length: 100 }, (_, at) => at + 1).filter((id) =>
    patience.awaits(id),
  );
  expect(awaited).toEqual(Array.from({ length: 16 }, (_, at) => 85 + at));
});
