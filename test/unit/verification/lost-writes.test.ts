import { describe, expect, test } from "vitest";
import { checkLostWrites, type WipedCopy } from "../../../src/verification/index.ts";

const covers = (found: number, written: number): boolean => found >= written;

function acknowledged(key: string, version: number, acknowledgedAt = 10) {
  return { key, version, acknowledgedAt, holders: ["n1", "n2"] };
}

const a1 = acknowledged("a", 1);
const a3 = acknowledged("a", 3);
const b2 = acknowledged("b", 2);
const wiped: readonly WipedCopy[] = [];

test("the same or a newer version is no loss", () => {
  const finals = new Map([
    ["a", [3]],
    ["b", [9]],
  ]);
  expect(checkLostWrites({ acknowledged: [a1, a3, b2], wiped, finals, covers })).toEqual({
    verdict: "legal",
    judged: 3,
    excused: 0,
    violations: [],
  });
});

test("an older version is, and so is nothing", () => {
  const finals = new Map([
    ["a", [2]],
    ["b", []],
  ]);
  expect(checkLostWrites({ acknowledged: [a1, a3, b2], wiped, finals, covers })).toEqual({
    verdict: "illegal",
    judged: 3,
    excused: 0,
    violations: [
      { write: a3, found: [2] },
      { write: b2, found: [] },
    ],
  });
});

test("one of several versions side by side is enough", () => {
  const same = (found: number, written: number): boolean => found === written;
  const finals = new Map([["a", [1, 3]]]);
  const facts = { acknowledged: [a1, a3], wiped, finals, covers: same };
  expect(checkLostWrites(facts).verdict).toBe("legal");
});

describe("a write counts while fewer copies were wiped than held it", () => {
  const finals = new Map([["a", []]]);
  test.each<[string, WipedCopy[], "legal" | "illegal"]>([
    ["no copy", [], "illegal"],
    ["one of two holders", [{ node: "n1", at: 11 }], "illegal"],
    [
      "the same holder twice",
      [
        { node: "n1", at: 11 },
        { node: "n1", at: 12 },
      ],
      "illegal",
    ],
    [
      "both holders",
      [
        { node: "n1", at: 11 },
        { node: "n2", at: 12 },
      ],
      "legal",
    ],
    [
      "one of them only before the answer",
      [
        { node: "n1", at: 9 },
        { node: "n2", at: 12 },
      ],
      "illegal",
    ],
    [
      "both at the moment of the answer",
      [
        { node: "n1", at: 10 },
        { node: "n2", at: 10 },
      ],
      "legal",
    ],
    [
      "a holder and a node that did not hold it",
      [
        { node: "n1", at: 11 },
        { node: "n3", at: 12 },
      ],
      "illegal",
    ],
  ])("wiped: %s", (_what, wipes, verdict) => {
    const result = checkLostWrites({ acknowledged: [a1], wiped: wipes, finals, covers });
    expect(result).toMatchObject({ verdict, excused: verdict === "legal" ? 1 : 0 });
  });
});

test("a key that nobody read at the end is a mistake of the caller", () => {
  const finals = new Map([["a", [3]]]);
  expect(() => checkLostWrites({ acknowledged: [b2], wiped, finals, covers })).toThrow(
    'no final read of "b" was made',
  );
});
