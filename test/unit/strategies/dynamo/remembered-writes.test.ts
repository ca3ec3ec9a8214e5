import { expect, test } from "vitest";
import { RememberedWrites } from "../../../../src/strategies/dynamo/remembered-writes.ts";

const at = (time: number, actorLow = 1) => ({ time, actorHigh: 0, actorLow });

function remembered(times: readonly number[], limit: number, maxHorizons?: number) {
  const writes = new RememberedWrites(limit, maxHorizons);
  for (const time of times) writes.remember(at(time));
  return writes;
}

test("what was minted is known by its operation, and by that alone", () => {
  const writes = remembered([5], 100);
  expect(writes.has(at(5))).toBe(true);
  expect(writes.has(at(5, 2))).toBe(false);
  expect(writes.has(at(6))).toBe(false);
  expect(writes.isBeyondMemory(at(1))).toBe(false);
});

test("as many as the limit are remembered, whoever they are of, and less than twice as many", () => {
  const writes = new RememberedWrites(4);
  for (let time = 1; time <= 40; time++) {
    writes.remember(at(time, time % 3));
    for (let known = Math.max(1, time - 3); known <= time; known++) {
      expect(writes.has(at(known, known % 3))).toBe(true);
    }
    expect(writes.size).toBeLessThan(8);
  }
});

test("what was forgotten is told from what never came, for each coordinator by itself", () => {
  const writes = remembered([1, 2, 3, 4, 5], 2);
  expect(writes.size).toBe(3);
  expect(writes.has(at(2))).toBe(false);
  expect(writes.isBeyondMemory(at(2))).toBe(true);
  expect(writes.has(at(3))).toBe(true);
  expect(writes.isBeyondMemory(at(3))).toBe(false);
  expect(writes.isBeyondMemory(at(1, 9))).toBe(false);
});

test("an operation that comes late is told from those that have come, newer ones among them", () => {
  const writes = remembered([9, 4, 7], 100);
  expect([4, 7, 9].map((time) => writes.has(at(time)))).toEqual([true, true, true]);
  expect([3, 5, 8, 10].map((time) => writes.has(at(time)))).toEqual([false, false, false, false]);
});

test("what was forgotten in no order is beyond memory up to the newest of it", () => {
  const writes = remembered([8, 3, 20, 21], 2);
  expect(writes.isBeyondMemory(at(8))).toBe(true);
  expect(writes.isBeyondMemory(at(9))).toBe(false);
});

test("how far it has forgotten is known of the latest coordinators only", () => {
  const writes = new RememberedWrites(1, 2);
  for (const actor of [1, 2, 3, 4, 5]) writes.remember(at(10, actor));
  expect(writes.has(at(10, 5))).toBe(true);
  expect([4, 3, 2, 1].map((actor) => writes.isBeyondMemory(at(10, actor)))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
