import fc from "fast-check";
import { expect, test } from "vitest";
import { RisingTimes } from "../../../../src/strategies/dynamo/rising-times.ts";

test("holds what a set holds, in whichever order it came", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 80 }), (added) => {
      const times = new RisingTimes();
      const twin = new Set<number>();
      for (const time of added) {
        times.add(2 ** 50 + time);
        twin.add(time);
      }
      for (let time = 0; time <= 61; time++) expect(times.has(2 ** 50 + time)).toBe(twin.has(time));
      expect(times.size).toBe(twin.size);
      expect(times.newest).toBe(twin.size === 0 ? 0 : 2 ** 50 + Math.max(...twin));
    }),
  );
});

test("an empty one does not hold the number that its places begin with", () => {
  const times = new RisingTimes();
  expect(times.has(0)).toBe(false);
  times.add(7);
  expect(times.has(0)).toBe(false);
});
