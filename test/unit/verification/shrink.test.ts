import { describe, expect, test } from "vitest";
import {
  batchRegisterModel,
  type Counterexample,
  checkLinearizable,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  OPEN_ENDED,
  registerModel,
} from "../../../src/verification/index.ts";
import { shrink } from "../../../src/verification/shrink.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { batch, legalHistory, read, withOneReadChanged, write } from "./histories.ts";

type Shrunk = Counterexample<KeyValueInput, KeyValueOutput>;

function counterexampleOf(
  history: readonly KeyValueOperation[],
  options: object = {},
): Shrunk | undefined {
  const result = checkLinearizable(registerModel, history, options);
  return result.verdict === "illegal" ? result.counterexample : undefined;
}

describe("a counterexample", () => {
  test("of a stale read is the write that it found, the one that it missed, and the read", () => {
    const [old, missed, stale] = [write("a", 0, 1), write("b", 10, 11), read("a", 20, 21)];
    const noise = [
      write("x", 2, 3),
      read("x", 4, 5),
      write("c", 30, 31),
      read("c", 32, 33),
      read("b", 12, 13),
      write("other", 0, 1, "j"),
    ];
    expect(counterexampleOf([old, ...noise, missed, stale])).toEqual({
      operations: [old, missed, stale].toSpliced(1, 1, expect.anything()),
      violated: stale,
      minimal: true,
    });
  });

  test("ends with the violation, though a bound ended the judgement of that beginning", () => {
    const [old, missed, stale] = [write("a", 0, 1), write("b", 2, 3), read("a", 6, 7)];
    const last = write("c", 8, 9);
    const isIllegal = (operations: readonly KeyValueOperation[]) => {
      const isGivenUp = operations.length === 4 && !operations.includes(last);
      const { verdict } = checkLinearizable(registerModel, operations, { shrink: false });
      return { illegal: !isGivenUp && verdict === "illegal", steps: 1 };
    };
    const history = [old, missed, read("b", 4, 5), stale, last];
    expect(shrink(history, { model: registerModel, isIllegal, maxSteps: 1_000 })).toEqual({
      operations: [old, missed, stale],
      violated: stale,
      minimal: true,
    });
  });

  test("of a lost deletion holds the deletion", () => {
    const [put, deleted, found] = [write("a", 0, 1), write(undefined, 2, 3), read("a", 4, 5)];
    expect(counterexampleOf([put, deleted, read(undefined, 4, 9), found])).toEqual({
      operations: [put, deleted, found],
      violated: found,
      minimal: true,
    });
  });

  test("of a read from the future shows the write as well", () => {
    const [early, late] = [read("a", 0, 1), write("a", 2, 3)];
    expect(counterexampleOf([write("z", -5, -4), early, late, read("a", 4, 5)])).toEqual({
      operations: [early, late],
      violated: early,
      minimal: true,
    });
  });

  test("keeps a write that had not returned yet, as it was", () => {
    const [slow, first, second] = [write("a", 0, 99), read("a", 1, 2), read(undefined, 3, 4)];
    expect(counterexampleOf([slow, first, second, read("a", 100, 101)])).toEqual({
      operations: [slow, first, second],
      violated: second,
      minimal: true,
    });
  });

  test("keeps an unknown write whose effect came and went", () => {
    const [lost, first, second] = [
      write("a", 0, OPEN_ENDED),
      read("a", 1, 2),
      read(undefined, 3, 4),
    ];
    expect(counterexampleOf([lost, first, second])?.operations).toEqual([lost, first, second]);
  });

  test("of a batch holds only the keys in question", () => {
    const both = [
      { key: "a", value: "x" },
      { key: "b", value: "x" },
    ];
    const [tied, seen, missed] = [
      batch(both, 0, 9),
      read("x", 1, 2, "a"),
      read(undefined, 3, 4, "b"),
    ];
    const history = [tied, seen, missed, read("x", 10, 11, "b"), write("y", 12, 13, "a")];
    const result = checkLinearizable(batchRegisterModel, history);
    expect(result).toMatchObject({
      counterexample: { operations: [tied, seen, missed], violated: missed },
    });
  });

  test("that is not asked for is the whole history up to the end, and says so", () => {
    const history = [write("a", 0, 1), read("a", 2, 3), read(undefined, 4, 5)];
    expect(counterexampleOf(history, { shrink: false })).toMatchObject({
      operations: history,
      minimal: false,
    });
  });
});

test("shrunk histories are illegal, small, and legal without any one of their operations", () => {
  const random = new SeededRandom(1, "shrink");
  let shrunk = 0;
  for (let round = 0; round < 60; round++) {
    const history = legalHistory(random, { length: 200, spread: 40, unknownOneIn: 12 });
    const changed = withOneReadChanged(random, history);
    const found = changed === undefined ? undefined : counterexampleOf(changed);
    if (found === undefined) continue;
    shrunk += 1;
    expect(found.minimal).toBe(true);
    expect(found.operations.length).toBeLessThan(12);
    expect(found.operations.every((each) => changed?.includes(each))).toBe(true);
    expect(verdictOf(found.operations)).toBe("illegal");
    expectMinimal(found);
  }
  expect(shrunk).toBeGreaterThan(40);
});

function verdictOf(history: readonly KeyValueOperation[]): string {
  return checkLinearizable(registerModel, history, { shrink: false }).verdict;
}

/** Leaves out one, and with a write the reads of it. */
function expectMinimal({ operations, violated }: Shrunk): void {
  for (const one of operations) {
    if (one.calledAt > violated.returnedAt) continue;
    const without = operations.filter(
      (each) =>
        each !== one &&
        !(
          one.input.type !== "get" &&
          each.input.type === "get" &&
          registerModel.mayHaveSeen(each, one)
        ),
    );
    const cut = without.filter(({ calledAt }) => calledAt <= violated.returnedAt);
    expect(verdictOf(cut), JSON.stringify(operations)).toBe("legal");
  }
}
