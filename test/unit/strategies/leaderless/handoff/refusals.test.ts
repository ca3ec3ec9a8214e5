import { expect, test } from "vitest";
import { Refusals } from "../../../../../src/strategies/leaderless/handoff/refusals.ts";

const KEY = Buffer.from("k");

/** How long after each refusal the key is left out. */
function waitsOf(refusals: Refusals, times: number): readonly number[] {
  let nowMs = 0;
  return Array.from({ length: times }, () => {
    refusals.add(KEY, nowMs);
    let waitMs = 0;
    while (refusals.has(KEY, nowMs + waitMs)) waitMs += 10_000;
    nowMs += waitMs;
    return waitMs;
  });
}

test("a key is offered again less and less often, but every ten minutes at the least", () => {
  const seconds = waitsOf(new Refusals(), 8).map((ms) => ms / 1_000);
  expect(seconds).toEqual([10, 20, 40, 80, 160, 320, 600, 600]);
});

test("only the first refusal of a key is news, until it was settled", () => {
  const refusals = new Refusals();
  expect([refusals.add(KEY, 0), refusals.add(KEY, 10_000)]).toEqual([true, false]);
  refusals.delete(KEY);
  expect(refusals.has(KEY, 10_001)).toBe(false);
  expect(refusals.add(KEY, 20_000)).toBe(true);
  expect([refusals.has(KEY, 29_999), refusals.has(KEY, 30_000)]).toEqual([true, false]);
});

test("a thousand are remembered; the one that was refused longest ago is offered sooner", () => {
  const refusals = new Refusals();
  const key = (n: number) => Buffer.from(`key-${n}`);
  for (let n = 0; n < 1_000; n++) refusals.add(key(n), 0);
  refusals.add(key(0), 1);
  refusals.add(key(1_000), 2);
  expect(refusals.size).toBe(1_000);
  expect([0, 1, 2, 1_000].map((n) => refusals.has(key(n), 3))).toEqual([true, false, true, true]);
});
