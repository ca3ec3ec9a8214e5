import { describe, expect, test } from "vitest";
import type { KeyGroup } from "../../../../src/simulation/verify/clients.ts";
import type { Judgement } from "../../../../src/simulation/verify/judge.ts";
import { judgeAllOrNothing, judgePerKey } from "../../../../src/simulation/verify/judge-batches.ts";
import type { KeyValueOperation } from "../../../../src/verification/index.ts";
import { batch, read } from "../../verification/histories.ts";

const GROUP: KeyGroup = {
  ...{ name: "batch", workload: "batches", keys: ["k", "l"] },
  pair: { write: "strong", read: "strong" },
};
const BOTH = [
  { key: "k", value: "a" },
  { key: "l", value: "a" },
];
const ODD = { key: "l", sentence: "it was answered with less." };

function at(level: string, operation: KeyValueOperation): KeyValueOperation {
  return { ...operation, level, achieved: level };
}

function judged(history: readonly KeyValueOperation[], odd: readonly (typeof ODD)[] = []) {
  const strong = history.map((each) => at("strong", each));
  return judgeAllOrNothing(GROUP, strong, odd);
}

describe("a batch that is to be all or nothing", () => {
  test("is seen whole", () => {
    const history = [batch(BOTH, 1, 2), read("a", 3, 4, "k"), read("a", 5, 6, "l")];
    expect(judged(history)).toEqual({ verdict: "legal", judged: 3 });
  });

  test("is not, where a read finds a part of it, and a later one not the other", () => {
    const history = [batch(BOTH, 1, 9), read("a", 2, 3, "k"), read(undefined, 4, 5, "l")];
    const { verdict, broken } = judged(history);
    expect(verdict).toBe("illegal");
    expect(broken?.violated).toMatchObject({ input: { type: "get", key: "l" } });
  });

  test("is not, where its answer is none for all of it", () => {
    const { verdict, broken } = judged([batch(BOTH, 1, 2)], [ODD]);
    expect(verdict).toBe("illegal");
    expect(broken?.sentence).toBe(ODD.sentence);
  });

  test("of other keys nothing is said", () => {
    expect(judged([batch(BOTH, 1, 2)], [{ ...ODD, key: "m" }]).verdict).toBe("legal");
  });
});

describe("a batch whose writes are on their own", () => {
  const legal: Judgement = { verdict: "legal", judged: 7 };
  const broken = { sentence: "gone", operations: [], violated: undefined };
  const illegal: Judgement = { verdict: "illegal", judged: 3, broken };

  test("keeps all that its keys are promised, or breaks the first of it", () => {
    expect(judgePerKey(GROUP, [legal, { ...legal, judged: 2 }], [])).toEqual(legal);
    expect(judgePerKey(GROUP, [legal, illegal], [])).toBe(illegal);
  });

  test("is undecided where one of these is", () => {
    const unknown: Judgement = { verdict: "unknown", judged: 1 };
    expect(judgePerKey(GROUP, [legal, unknown], []).verdict).toBe("unknown");
  });

  test("has an answer for each of them, in their order", () => {
    expect(judgePerKey(GROUP, [legal], [ODD])).toMatchObject({
      verdict: "illegal",
      broken: { sentence: ODD.sentence },
    });
  });
});
