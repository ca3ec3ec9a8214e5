import { expect, it } from "vitest";
import { CatchUps } from "../../../../../src/core/store/watch/catch-ups.ts";

const LOST_MS = 5_000;

function open(canBeAsked = true) {
  const asked: number[] = [];
  const catchUps = new CatchUps((_shardIndex, token) => {
    if (canBeAsked) asked.push(token);
    return canBeAsked;
  });
  return { asked, catchUps };
}

it("ask one question for all that wait, and another for those that begin meanwhile", () => {
  const { asked, catchUps } = open();
  const [first, second] = [catchUps.next(0), catchUps.next(0)];
  expect([catchUps.has(0, first, 0), catchUps.has(0, second, 0)]).toEqual([false, false]);
  const late = catchUps.next(0);
  expect(catchUps.has(0, late, 0)).toBe(false);
  expect(asked).toEqual([1]);
  expect(catchUps.answered(0, 1, true, 1)).toBe(true);
  expect([first, second, late].map((needed) => catchUps.has(0, needed, 1))).toEqual([
    true,
    true,
    false,
  ]);
  expect(asked).toEqual([1, 2]);
  catchUps.answered(0, 2, true, 2);
  expect(catchUps.has(0, late, 2)).toBe(true);
  expect(asked).toEqual([1, 2]);
});

it("know of each shard for itself", () => {
  const { catchUps } = open();
  const needed = [0, 1].map((shard) => catchUps.next(shard));
  for (const shard of [0, 1]) catchUps.has(shard, needed[shard] as number, 0);
  catchUps.answered(1, 1, true, 0);
  expect([0, 1].map((shard) => catchUps.has(shard, needed[shard] as number, 0))).toEqual([
    false,
    true,
  ]);
});

it("take an answer that comes late for what it is", () => {
  const { asked, catchUps } = open();
  const first = catchUps.next(0);
  catchUps.has(0, first, 0);
  expect(catchUps.has(0, first, LOST_MS - 1)).toBe(false);
  expect(asked).toEqual([1]);
  // It was taken for lost: those who begin now need the next one.
  catchUps.has(0, first, LOST_MS);
  const second = catchUps.next(0);
  expect(asked).toEqual([1, 2]);
  catchUps.answered(0, 1, true, LOST_MS);
  expect([catchUps.has(0, first, LOST_MS), catchUps.has(0, second, LOST_MS)]).toEqual([
    true,
    false,
  ]);
  // The one that is under way keeps its time.
  expect(asked).toEqual([1, 2]);
});

it("leave a replica alone for a while that could not find out", () => {
  const { asked, catchUps } = open();
  const needed = catchUps.next(0);
  catchUps.has(0, needed, 0);
  expect(catchUps.answered(0, 1, false, 10)).toBe(false);
  expect([catchUps.has(0, needed, 10), catchUps.has(0, needed, 100)]).toEqual([false, false]);
  expect(asked).toEqual([1]);
  catchUps.has(0, needed, 1_000);
  expect(asked).toEqual([1, 2]);
});

it("take what a replica has for enough that cannot be asked", () => {
  const { catchUps } = open(false);
  for (let times = 0; times < 3; times++) {
    expect(catchUps.has(0, catchUps.next(0), times)).toBe(true);
  }
});

it("take an answer that comes at once", () => {
  const catchUps: CatchUps = new CatchUps((shardIndex, token) => {
    catchUps.answered(shardIndex, token, true, 0);
    return true;
  });
  expect(catchUps.has(0, catchUps.next(0), 0)).toBe(true);
});
