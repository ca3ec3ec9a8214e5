import { expect, test } from "vitest";
import { usesAgain } from "../../../benchmarks/support/segment-uses.ts";

test("a file that is seen at a later use than before was used again", () => {
  const looks = [
    { "0000000001.segment": 1, "0000000002.segment": 0 },
    { "0000000001.segment": 1, "0000000002.segment": 2 },
    { "0000000001.segment": 3, "0000000002.segment": 2 },
    { "0000000001.segment": 3, "0000000002.segment": 4 },
  ];
  expect(usesAgain(looks)).toBe(2);
});

test("files that are made, used once and removed were not used again, however many", () => {
  const looks = [1, 2, 3, 4].map((at) => ({
    [`000000000${at}.segment`]: at,
    [`000000000${at + 1}.segment`]: 0,
  }));
  expect(usesAgain(looks)).toBe(0);
});

test("a file whose newest use cannot be read at a moment was not used again by that", () => {
  expect(usesAgain([{ a: 5 }, { a: 0 }, { a: 5 }])).toBe(0);
});
