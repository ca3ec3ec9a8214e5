import { describe, expect, test } from "vitest";
import type { KeyGroup } from "../../../../src/simulation/verify/clients.ts";
import type { ConditionalWrite } from "../../../../src/simulation/verify/conditional-writes.ts";
import {
  judgeConditionalWrites,
  judgeConditions,
  judgeWinners,
} from "../../../../src/simulation/verify/judge-conditions.ts";
import type { KeyValueOperation, WriteCondition } from "../../../../src/verification/index.ts";
import { read } from "../../verification/histories.ts";

const ABSENT: WriteCondition = { value: undefined };

/** One operation after the other. */
function put(
  value: unknown,
  condition: WriteCondition | undefined,
  isDone: boolean,
  at: number,
): KeyValueOperation {
  return {
    ...{ client: "w", outcome: "applied", calledAt: at, returnedAt: at + 0.5 },
    input: { type: "put", key: "k", value, condition },
    output: isDone ? { version: `v${at}` } : { isDone: false },
  };
}

function winner({ input }: KeyValueOperation, ifVersion: string): ConditionalWrite {
  const send = () => Promise.reject(new Error("is not sent"));
  return { key: "k", value: 1, level: "strong", input, ifVersion, send };
}

describe("conditional writes", () => {
  test("of what is there, and of nothing, are what one copy would have done", () => {
    const history = [
      put("a", ABSENT, true, 1),
      put("b", ABSENT, false, 2),
      put("c", { value: "a" }, true, 3),
      put("d", { value: "a" }, false, 4),
      read("c", 5, 6),
    ];
    expect(judgeConditionalWrites(history)).toEqual({ verdict: "legal", judged: 5 });
  });

  test("one that is done on what is not there any more fits nowhere", () => {
    const late = put("d", { value: "a" }, true, 4);
    const history = [put("a", ABSENT, true, 1), put("c", { value: "a" }, true, 3), late];
    const { verdict, broken } = judgeConditionalWrites(history);
    expect(verdict).toBe("illegal");
    expect(broken?.sentence).toContain('put "k" = "d" if "a" by w fits nowhere');
    expect(broken?.violated).toBe(late);
    expect(broken?.operations).toEqual(history);
  });

  test("one that is refused although its condition holds fits nowhere", () => {
    const history = [put("a", ABSENT, true, 1), put("b", { value: "a" }, false, 2)];
    expect(judgeConditionalWrites(history)).toMatchObject({
      verdict: "illegal",
      broken: { violated: { input: { value: "b" } } },
    });
  });

  test("values are told apart as a store does, not as text", () => {
    const history = [put({ n: 1 }, ABSENT, true, 1), put(2, { value: { n: 1 } }, true, 2)];
    expect(judgeConditionalWrites([...history, read(2, 3, 4)]).verdict).toBe("legal");
  });
});

describe("of the writes on the condition of one version", () => {
  const first = put("b", { value: "a" }, true, 2);
  const second = put("c", { value: "a" }, true, 3);

  test("two that were done are shown", () => {
    const winners = [winner(first, "v1"), winner(second, "v1")];
    const { verdict, broken } = judgeWinners([first, second], winners);
    expect(verdict).toBe("illegal");
    expect(broken?.operations).toEqual([first, second]);
    expect(broken?.sentence).toContain("both on the condition of the version v1");
  });

  test("one of each version may be done", () => {
    const winners = [winner(first, "v1"), winner(second, "v2")];
    expect(judgeWinners([first, second], winners)).toEqual({ verdict: "legal", judged: 2 });
  });
});

describe("what a condition refused", () => {
  const group: KeyGroup = {
    ...{ name: "if", workload: "conditions", keys: ["k"] },
    pair: { write: "strong", read: "strong" },
  };

  function refusedOf(history: readonly KeyValueOperation[]) {
    const found = judgeConditions(group, history, []);
    return new Map(found).get("refused-leaves-nothing");
  }

  test("and nobody sees, has left nothing", () => {
    const history = [put("a", ABSENT, true, 1), put("b", ABSENT, false, 2), read("a", 3, 4)];
    expect(refusedOf(history)).toEqual({ verdict: "legal", judged: 1 });
  });

  test("and is seen all the same, is shown with its read", () => {
    const history = [put("a", ABSENT, true, 1), put("b", ABSENT, false, 2), read("b", 3, 4)];
    expect(refusedOf(history)).toMatchObject({
      verdict: "illegal",
      broken: {
        sentence: 'get "k" -> "b" by r finds what a condition had refused.',
        operations: [{ input: { value: "b" } }, { input: { type: "get" } }],
      },
    });
  });

  test("is no matter where a write of the same value was done", () => {
    const history = [put("b", undefined, true, 1), put("b", ABSENT, false, 2), read("b", 3, 4)];
    expect(refusedOf(history)?.verdict).toBe("legal");
  });
});
