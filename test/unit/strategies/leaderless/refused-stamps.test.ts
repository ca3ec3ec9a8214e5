import { expect, test } from "vitest";
import { RefusedStamps } from "../../../../src/strategies/leaderless/refused-stamps.ts";

const REMEMBERED_MS = 60_000;
const stamp = (time: number, actorLow = 1) => ({ time, actorHigh: 0, actorLow });

test("a stamp that was refused is known for as long as a frame may be on its way, and no other is", () => {
  const refused = new RefusedStamps();
  expect(refused.isEmpty).toBe(true);
  refused.add(stamp(5), 0);
  expect(refused.has(stamp(5), REMEMBERED_MS - 1)).toBe(true);
  expect(refused.has(stamp(5), REMEMBERED_MS)).toBe(false);
  expect([refused.has(stamp(6), 1), refused.has(stamp(5, 2), 1)]).toEqual([false, false]);
});

test("what is over makes room, and so does the oldest where there is none", () => {
  const refused = new RefusedStamps();
  for (let time = 1; time <= 1_025; time++) refused.add(stamp(time), 0);
  expect([1, 2, 1_025].map((time) => refused.has(stamp(time), 1))).toEqual([false, true, true]);
  refused.add(stamp(9_000), REMEMBERED_MS);
  expect(refused.has(stamp(2), 1)).toBe(false);
  expect(refused.has(stamp(9_000), REMEMBERED_MS)).toBe(true);
});
