import { expect, test } from "vitest";
import { RememberedWrites } from "../../../../src/strategies/dynamo/remembered-writes.ts";

const KEY = Buffer.from("k");
const at = (time: number, actorLow = 1) => ({ time, actorHigh: 0, actorLow });

test("what was minted is known by its operation, and by that alone", () => {
  const remembered = new RememberedWrites();
  remembered.remember(at(5), KEY);
  expect(remembered.keyOf(at(5))).toBe(KEY);
  expect(remembered.keyOf(at(5, 2))).toBeUndefined();
  expect(remembered.keyOf(at(6))).toBeUndefined();
  expect(remembered.isBeyondMemory(at(1))).toBe(false);
});

test("what was forgotten is told from what never came, for each coordinator by itself", () => {
  const remembered = new RememberedWrites(2);
  for (const time of [1, 2, 3, 4]) remembered.remember(at(time), KEY);
  expect(remembered.size).toBe(2);
  expect(remembered.keyOf(at(2))).toBeUndefined();
  expect(remembered.isBeyondMemory(at(2))).toBe(true);
  expect(remembered.keyOf(at(3))).toBe(KEY);
  expect(remembered.isBeyondMemory(at(3))).toBe(false);
  expect(remembered.isBeyondMemory(at(1, 9))).toBe(false);
});
