import { describe, expect, test } from "vitest";
import type { Level } from "../../../../src/core/model/levels.ts";
import {
  majorityOf,
  mapChangeQuorum,
  quorumsIntersect,
  rebuildSources,
  requiredReplicas,
} from "../../../../src/core/model/quorum.ts";

// Every formula against its meaning, tried on all subsets of up to seven replicas as bit sets.

const SIZES = [1, 2, 3, 4, 5, 6, 7];
const COUNTS = SIZES.flatMap((n) =>
  range(1, n).flatMap((w) => range(1, n).map((r) => ({ n, w, r }))),
);

test.each(SIZES)("any two majorities of %i share a member, no smaller sets do", (n) => {
  expect(allMeet(n, majorityOf(n), majorityOf(n))).toBe(true);
  const fewer = majorityOf(n) - 1;
  if (fewer > 0) expect(allMeet(n, fewer, fewer)).toBe(false);
});

test("quorumsIntersect says whether every r and every w replicas share one", () => {
  for (const { n, w, r } of COUNTS) expect(quorumsIntersect(r, w, n)).toBe(allMeet(n, r, w));
});

test("rebuildSources others meet every write that the lost replica helped to acknowledge", () => {
  for (const { n, w } of COUNTS.filter((each) => each.n > 1 && each.w > 1)) {
    // The lost replica is one of the w; the other w - 1 are among the n - 1 that are asked.
    const sources = rebuildSources(n, w);
    expect(allMeet(n - 1, sources, w - 1)).toBe(true);
    if (sources > 1) expect(allMeet(n - 1, sources - 1, w - 1)).toBe(false);
  }
});

test("mapChangeQuorum replicas meet every write set and every read set, and fewer do not", () => {
  for (const { n, w, r } of COUNTS) {
    const told = mapChangeQuorum(n, w, r);
    expect(allMeet(n, told, w) && allMeet(n, told, r)).toBe(true);
    if (told > 1) expect(allMeet(n, told - 1, w) && allMeet(n, told - 1, r)).toBe(false);
  }
});

describe("requiredReplicas", () => {
  test.each<[Level, (number | undefined)[]]>([
    ["one", [1, 1, 1, 1, 1]],
    ["two", [undefined, 2, 2, 2, 2]],
    ["three", [undefined, undefined, 3, 3, 3]],
    ["quorum", [1, 2, 2, 3, 3]],
    ["strong", [1, 2, 2, 3, 3]],
    ["all", [1, 2, 3, 4, 5]],
    ["each-quorum", [undefined, undefined, undefined, undefined, undefined]],
    ["lease", [undefined, undefined, undefined, undefined, undefined]],
  ])("of %s for one to five replicas", (level, expected) => {
    expect([1, 2, 3, 4, 5].map((n) => requiredReplicas(level, n))).toEqual(expected);
  });
});

/** Whether every `a` and every `b` of `n` replicas share one. */
function allMeet(n: number, a: number, b: number): boolean {
  return subsets(n, a).every((left) => subsets(n, b).every((right) => (left & right) !== 0));
}

function subsets(n: number, size: number): number[] {
  return range(0, 2 ** n - 1).filter((set) => bits(set) === size);
}

function bits(set: number): number {
  return set === 0 ? 0 : (set & 1) + bits(set >>> 1);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
