import { describe, expect, test } from "vitest";
import {
  judgeSeesAcknowledged,
  judgeSilentLoss,
  SeenValues,
} from "../../../../src/simulation/verify/judge-siblings.ts";
import { type KeyValueOperation, OPEN_ENDED } from "../../../../src/verification/index.ts";
import { read, write } from "../../verification/histories.ts";

function finals(...values: unknown[]): ReadonlyMap<string, readonly unknown[]> {
  return new Map([["k", values]]);
}

/** The write of `value` came with the context of `seen`. */
function seen(...writes: readonly (readonly [value: unknown, ...seen: unknown[]])[]): SeenValues {
  const values = new SeenValues();
  for (const [value, ...earlier] of writes) values.note("k", value, earlier);
  return values;
}

function siblings(values: readonly unknown[], at: number): KeyValueOperation {
  const input = { type: "get", key: "k" } as const;
  const output = { siblings: values };
  return { client: "r", input, output, outcome: "applied", calledAt: at, returnedAt: at + 1 };
}

describe("no silent loss", () => {
  const both = [write("a", 0, 3), write("b", 1, 2)];

  test("values side by side are all there", () => {
    const judgement = judgeSilentLoss(both, seen(), finals("a", "b"));
    expect(judgement).toEqual({ verdict: "legal", judged: 2 });
  });

  test("one that is gone, and that nobody had seen, is lost", () => {
    const judgement = judgeSilentLoss(both, seen(), finals("b"));
    expect(judgement).toMatchObject({ verdict: "illegal", broken: { operations: [both[0]] } });
  });

  test("one that a later write had seen was replaced", () => {
    expect(judgeSilentLoss(both, seen(["b", "a"]), finals("b")).verdict).toBe("legal");
  });

  test("so it was by a deletion that had seen it, and by a write that may have taken effect", () => {
    const deleted = [write("a", 0, 1), write(undefined, 2, 3)];
    expect(judgeSilentLoss(deleted, seen([undefined, "a"]), finals()).verdict).toBe("legal");
    const open = [write("a", 0, 1), write("b", 2, OPEN_ENDED)];
    expect(judgeSilentLoss(open, seen(["b", "a"]), finals()).verdict).toBe("legal");
  });

  test("a write that was refused replaced nothing", () => {
    const refused: KeyValueOperation = { ...write("b", 2, 3), outcome: "not-applied" };
    const judgement = judgeSilentLoss([write("a", 0, 1), refused], seen(["b", "a"]), finals());
    expect(judgement.verdict).toBe("illegal");
  });

  test("of an unknown write nothing is demanded", () => {
    expect(judgeSilentLoss([write("a", 0, OPEN_ENDED)], seen(), finals())).toEqual({
      verdict: "legal",
      judged: 0,
    });
  });
});

describe("what was acknowledged is seen", () => {
  test("by every later read, beside others or alone", () => {
    const history = [write("a", 0, 1), siblings(["b", "a"], 2), read("a", 4, 5)];
    expect(judgeSeesAcknowledged(history, seen())).toEqual({ verdict: "legal", judged: 2 });
  });

  test("a read that misses it is shown with it", () => {
    const history = [write("a", 0, 1), read(undefined, 2, 3)];
    expect(judgeSeesAcknowledged(history, seen())).toMatchObject({
      verdict: "illegal",
      broken: { operations: history, violated: history[1] },
    });
  });

  test("a read beside the write may miss it", () => {
    const history = [write("a", 0, 3), read(undefined, 1, 2)];
    expect(judgeSeesAcknowledged(history, seen()).verdict).toBe("legal");
  });

  test("a read may find what replaced it, from the call of that write on", () => {
    const replaced = seen(["b", "a"]);
    const beside = [write("a", 0, 1), write("b", 2, 5), read(undefined, 3, 4)];
    expect(judgeSeesAcknowledged(beside, replaced).verdict).toBe("legal");
    const before = [write("a", 0, 1), read(undefined, 2, 3), write("b", 4, 5)];
    expect(judgeSeesAcknowledged(before, replaced).verdict).toBe("illegal");
  });
});
