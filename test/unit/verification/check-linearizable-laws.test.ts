import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  batchRegisterModel,
  checkLinearizable,
  type KeyValueOperation,
  OPEN_ENDED,
  registerModel,
} from "../../../src/verification/index.ts";
import { batch, read, write } from "./histories.ts";

const { decide: _decide, ...searched } = registerModel;
const RUNS = { numRuns: 600, seed: 1 };

const arbitraryValue = fc.constantFrom<string | undefined>("a", "b", "c", undefined);
const arbitraryKey = fc.constantFrom("j", "k");

const arbitraryOperation: fc.Arbitrary<KeyValueOperation> = fc
  .record({
    type: fc.constantFrom("read", "read", "write", "write", "batch"),
    key: arbitraryKey,
    value: arbitraryValue,
    other: arbitraryValue,
    calledAt: fc.nat(20),
    lastsFor: fc.integer({ min: 1, max: 8 }),
    isOpen: fc.constantFrom(true, false, false, false),
  })
  .map(({ type, key, value, other, calledAt, lastsFor, isOpen }) => {
    const returnedAt = calledAt + lastsFor;
    if (type === "read") return read(value, calledAt, returnedAt, key);
    const end = isOpen ? OPEN_ENDED : returnedAt;
    if (type === "write") return write(value, calledAt, end, key);
    const writes = [
      { key: "j", value },
      { key: "k", value: other },
    ];
    return batch(writes, calledAt, end);
  });

const arbitraryHistory = fc.array(arbitraryOperation, { maxLength: 10 });

function isLegal(history: readonly KeyValueOperation[]): boolean {
  return checkLinearizable(batchRegisterModel, history, { shrink: false }).verdict === "legal";
}

describe("laws of linearizability", () => {
  test("every beginning of a legal history is legal", () => {
    fc.assert(
      fc.property(arbitraryHistory, fc.nat(30), (history, end) => {
        fc.pre(isLegal(history));
        const beginning = history
          .filter(({ input, calledAt, returnedAt }) =>
            input.type === "get" ? returnedAt <= end : calledAt <= end,
          )
          .map((each): KeyValueOperation => {
            if (each.returnedAt <= end) return each;
            return { ...each, outcome: "unknown", returnedAt: OPEN_ENDED };
          });
        expect(isLegal(beginning)).toBe(true);
      }),
      RUNS,
    );
  });

  test("a legal history stays legal without any one of its reads", () => {
    fc.assert(
      fc.property(arbitraryHistory, fc.nat(9), (history, at) => {
        fc.pre(isLegal(history) && history[at]?.input.type === "get");
        expect(isLegal(history.toSpliced(at, 1))).toBe(true);
      }),
      RUNS,
    );
  });

  test("a legal history stays legal when an operation takes longer", () => {
    fc.assert(
      fc.property(
        arbitraryHistory,
        fc.nat(9),
        fc.nat(5),
        fc.nat(5),
        (history, at, before, after) => {
          const victim = history[at];
          fc.pre(victim !== undefined && isLegal(history));
          const { calledAt, returnedAt } = victim as KeyValueOperation;
          const longer = {
            ...(victim as KeyValueOperation),
            calledAt: calledAt - before,
            returnedAt: returnedAt + after,
          };
          expect(isLegal(history.with(at, longer))).toBe(true);
        },
      ),
      RUNS,
    );
  });

  test("the verdict depends on the order of events alone, not on places or the order of the list", () => {
    fc.assert(
      fc.property(arbitraryHistory, (history) => {
        const moved = history
          .map((each) => ({
            ...each,
            calledAt: each.calledAt * 3 - 50,
            returnedAt: each.returnedAt * 3 - 50,
          }))
          .reverse();
        expect(isLegal(moved)).toBe(isLegal(history));
      }),
      RUNS,
    );
  });

  test("keys that no batch ties together: legal together exactly if legal apart (locality)", () => {
    const single = arbitraryHistory.map((history) =>
      history.filter(({ input }) => input.type !== "batch"),
    );
    fc.assert(
      fc.property(single, (history) => {
        const apart = ["j", "k"].every((key) =>
          isLegal(history.filter(({ input }) => input.type !== "batch" && input.key === key)),
        );
        for (const model of [registerModel, searched]) {
          const together = checkLinearizable(model, history, { shrink: false }).verdict;
          expect(together === "legal").toBe(apart);
        }
      }),
      RUNS,
    );
  });

  test("a counterexample is illegal by itself, and holds nothing but the history's operations", () => {
    fc.assert(
      fc.property(arbitraryHistory, (history) => {
        const result = checkLinearizable(batchRegisterModel, history);
        fc.pre(result.verdict === "illegal");
        if (result.verdict !== "illegal") return;
        const { operations, violated, minimal } = result.counterexample;
        expect(minimal).toBe(true);
        expect(operations.every((each) => history.includes(each))).toBe(true);
        expect(operations).toContain(violated);
        expect(violated.input.type).toBe("get");
        expect(isLegal(operations)).toBe(false);
      }),
      RUNS,
    );
  });
});
