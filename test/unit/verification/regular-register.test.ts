import { describe, expect, test } from "vitest";
import {
  checkLinearizable,
  checkRegularRegister,
  type KeyValueOperation,
  OPEN_ENDED,
  registerModel,
  SUPERSEDED,
} from "../../../src/verification/index.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { batch, below, legalHistory, read, withOneReadChanged, write } from "./histories.ts";

function verdictOf(history: readonly KeyValueOperation[]): string {
  return checkRegularRegister(history).verdict;
}

describe("known histories", () => {
  test.each<[string, string, KeyValueOperation[]]>([
    ["legal", "nothing", []],
    ["legal", "a read of nothing", [read(undefined, 0, 1)]],
    ["illegal", "a read of what nobody wrote", [read("a", 0, 1)]],
    ["illegal", "a read of a write that comes later", [read("a", 0, 1), write("a", 2, 3)]],
    ["illegal", "a stale read", [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)]],
    ["illegal", "a read of nothing behind a write", [write("a", 0, 1), read(undefined, 2, 3)]],
    [
      "legal",
      "new, then old, both beside the write: no order for both, one for each",
      [write("a", 0, 9), read("a", 1, 2), read(undefined, 3, 4)],
    ],
    [
      "legal",
      "a write that was superseded overwrites nothing",
      [write("a", 0, 1), { ...write("b", 2, 3), achieved: SUPERSEDED }, read("a", 4, 5)],
    ],
    [
      "illegal",
      "what was superseded is not found after what was written later",
      [{ ...write("b", 0, 1), achieved: SUPERSEDED }, write("a", 2, 3), read("b", 4, 5)],
    ],
    [
      "legal",
      "either of two writes that overlapped",
      [write("a", 0, 3), write("b", 1, 4), read("a", 5, 6), read("b", 7, 8), read("a", 9, 10)],
    ],
    [
      "legal",
      "an unknown write may take effect late, and for one reader alone",
      [
        write("a", 0, OPEN_ENDED),
        write("b", 1, 2),
        read("b", 3, 4),
        read("a", 5, 6),
        read("b", 7, 8),
      ],
    ],
    [
      "legal",
      "an unknown write whose caller gave up: nobody knows when it ended",
      [write("a", 0, 1), { ...write("b", 2, 3), outcome: "unknown" }, read("a", 4, 5)],
    ],
    [
      "legal",
      "a read that came to no end, whatever it found",
      [write("a", 0, 1), write("b", 2, 3), { ...read("a", 4, 5), outcome: "unknown" }],
    ],
    [
      "illegal",
      "a deletion that is undone",
      [write("a", 0, 1), write(undefined, 2, 3), read("a", 4, 5)],
    ],
    [
      "illegal",
      "a write that was refused, and yet is there",
      [{ ...write("a", 0, 1), outcome: "not-applied" }, read("a", 2, 3)],
    ],
    [
      "legal",
      "siblings that were written beside each other",
      [
        write("a", 0, 3),
        write("b", 1, 4),
        { ...read("a", 5, 6), output: { siblings: ["a", "b"] } },
      ],
    ],
    [
      "illegal",
      "siblings of which one was overwritten",
      [
        write("a", 0, 1),
        write("b", 2, 3),
        { ...read("a", 5, 6), output: { siblings: ["a", "b"] } },
      ],
    ],
    [
      "illegal",
      "a batch writes each of its keys",
      [write("a", 0, 1), batch([{ key: "k", value: "b" }], 2, 3), read("a", 4, 5)],
    ],
  ])("%s: %s", (verdict, _what, history) => {
    expect(verdictOf(history)).toBe(verdict);
  });

  test("a violation names the read, what it found and what overwrote that", () => {
    const [a, b, stale, invented] = [
      write("a", 0, 1),
      write("b", 2, 3),
      read("a", 4, 5),
      read("x", 6, 7),
    ];
    expect(checkRegularRegister([a, b, stale, invented])).toEqual({
      verdict: "illegal",
      judged: 2,
      violations: [
        { key: "k", read: stale, reason: "overwritten", found: a, overwrittenBy: b },
        { key: "k", read: invented, reason: "never-written" },
      ],
    });
  });
});

/** Some order of the writes, with the read in it, that keeps real order and explains the read. */
function hasOrder(history: readonly KeyValueOperation[], one: KeyValueOperation): boolean {
  const writes = history.filter(({ input }) => input.type !== "get");
  return checkLinearizable(registerModel, [...writes, one], { shrink: false }).verdict === "legal";
}

test("agrees with looking for an order for each read, on 3,000 small histories", () => {
  const random = new SeededRandom(1, "regular");
  const seen = { legal: 0, illegal: 0 };
  for (let round = 0; round < 3_000; round++) {
    const history = Array.from({ length: 1 + below(random, 8) }, () => {
      const value = [undefined, "a", "b", "c"][below(random, 4)];
      const calledAt = below(random, 14);
      const returnedAt = calledAt + 1 + below(random, 6);
      if (below(random, 2) === 0) return read(value, calledAt, returnedAt);
      return write(value, calledAt, below(random, 5) === 0 ? OPEN_ENDED : returnedAt);
    });
    const reads = history.filter(({ input }) => input.type === "get");
    const broken = reads.filter((one) => !hasOrder(history, one));
    const result = checkRegularRegister(history);
    seen[result.verdict] += 1;
    expect(
      result.violations.map((violation) => violation.read),
      JSON.stringify(history),
    ).toEqual(broken);
  }
  expect(Math.min(seen.legal, seen.illegal)).toBeGreaterThan(500);
});

test("what is linearizable is regular, and changed reads are mostly caught", () => {
  const random = new SeededRandom(2, "regular");
  let caught = 0;
  let changed = 0;
  for (let round = 0; round < 200; round++) {
    const history = legalHistory(random, { length: 80, spread: 40, unknownOneIn: 12 });
    expect(verdictOf(history)).toBe("legal");
    const mutated = withOneReadChanged(random, history);
    if (mutated === undefined) continue;
    changed += 1;
    if (verdictOf(mutated) === "illegal") caught += 1;
  }
  expect(caught / changed).toBeGreaterThan(0.7);
});
