import { describe, expect, test } from "vitest";
import { atPair, HISTORY_JUDGES } from "../../../../src/simulation/verify/judge.ts";
import { type KeyValueOperation, OPEN_ENDED } from "../../../../src/verification/index.ts";
import { read, write } from "../../verification/histories.ts";

const QUORUM = { write: "quorum", read: "quorum" } as const;

function at(
  operation: KeyValueOperation,
  level: string,
  achieved: string | undefined = level,
): KeyValueOperation {
  return { ...operation, level, ...(achieved === undefined ? {} : { achieved }) };
}

describe("what a pair of levels is judged by", () => {
  test("a read that did not reach its level is left out", () => {
    const lowered = at(read("a", 2, 3), "quorum", "one");
    expect(atPair([lowered, at(read("a", 4, 5), "quorum")], QUORUM)).toHaveLength(1);
  });

  test("of a write that did not reach its level nothing is demanded", () => {
    const [judged] = atPair([at(write("a", 0, 1), "quorum", "one")], QUORUM);
    expect(judged).toMatchObject({ outcome: "unknown", returnedAt: OPEN_ENDED });
  });

  test("nor of one that was superseded", () => {
    const superseded: KeyValueOperation = { ...write("a", 0, 1), level: "quorum" };
    const [judged] = atPair([superseded], QUORUM);
    expect(judged).toMatchObject({ outcome: "unknown", returnedAt: OPEN_ENDED });
  });

  test("eventual is reached as one", () => {
    const pair = { write: "eventual", read: "eventual" } as const;
    const operations = [
      at(write("a", 0, 1), "eventual", "one"),
      at(read("a", 2, 3), "eventual", "one"),
    ];
    expect(atPair(operations, pair)).toEqual(operations);
  });
});

describe("truthful outcomes", () => {
  const refused: KeyValueOperation = { ...write("a", 0, 1), outcome: "not-applied" };

  test("what was said not to be applied is not seen", () => {
    const judgement = HISTORY_JUDGES["truthful-outcome"]([refused, read("a", 2, 3)]);
    expect(judgement).toMatchObject({
      verdict: "illegal",
      broken: { operations: [refused, { calledAt: 2 }] },
    });
  });

  test("unless somebody else wrote the same", () => {
    const other: KeyValueOperation = { ...write("a", 4, 5), outcome: "unknown" };
    const judgement = HISTORY_JUDGES["truthful-outcome"]([refused, read("a", 2, 3), other]);
    expect(judgement).toEqual({ verdict: "legal", judged: 1 });
  });
});

test("what is broken is said in a sentence, and shown by its operations", () => {
  const history = [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)];
  expect(HISTORY_JUDGES.regular(history)).toMatchObject({
    verdict: "illegal",
    broken: {
      sentence:
        'get "k" -> "a" by r does not find what put "k" = "b" by w had written before, but something older.',
      operations: history,
      violated: history[2],
    },
  });
  expect(HISTORY_JUDGES.linearizable(history)).toMatchObject({
    verdict: "illegal",
    broken: { violated: history[2] },
  });
});
