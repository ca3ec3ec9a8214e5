import { describe, expect, test } from "vitest";
import {
  batchRegisterModel,
  checkLinearizable,
  type KeyValueOperation,
  OPEN_ENDED,
  registerModel,
  type SequentialModel,
} from "../../../src/verification/index.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { batch, below, legalHistory, read, withOneReadChanged, write } from "./histories.ts";

type Model<State> = SequentialModel<State, KeyValueOperation["input"], object>;

/** Judges every operation as it stands, by search. */
function plain<State>(model: Model<State>): Model<State> {
  const { simplify: _simplify, decide: _decide, ...rest } = model;
  return rest;
}

/** Decides nothing without a search. */
function searching<State>(model: Model<State>): Model<State> {
  const { decide: _decide, ...rest } = model;
  return rest;
}

function verdictOf(history: readonly KeyValueOperation[]): string {
  return checkLinearizable(registerModel, history).verdict;
}

describe("known histories of one register", () => {
  test.each<[string, string, KeyValueOperation[]]>([
    ["legal", "nothing", []],
    ["legal", "a read of nothing", [read(undefined, 0, 1)]],
    ["illegal", "a read of what nobody wrote", [read("a", 0, 1)]],
    ["legal", "write, then read", [write("a", 0, 1), read("a", 2, 3)]],
    ["illegal", "a stale read", [write("a", 0, 1), read(undefined, 2, 3)]],
    ["legal", "an old value beside the write", [write("a", 0, 3), read(undefined, 1, 2)]],
    ["legal", "the new value beside the write", [write("a", 0, 3), read("a", 1, 2)]],
    [
      "illegal",
      "new, then old, both beside the write",
      [write("a", 0, 9), read("a", 1, 2), read(undefined, 3, 4)],
    ],
    [
      "legal",
      "old, then new, both beside the write",
      [write("a", 0, 9), read(undefined, 1, 2), read("a", 3, 4)],
    ],
    ["illegal", "a read from before its write", [read("a", 0, 1), write("a", 2, 3)]],
    [
      "illegal",
      "readers disagree about the order of two writes",
      [write("a", 0, 9), write("b", 1, 9), read("a", 11, 12), read("b", 13, 14)],
    ],
    [
      "legal",
      "two writes at once, read in the order in which they may have happened",
      [write("a", 0, 9), write("b", 1, 9), read("a", 2, 3), read("b", 4, 5), read("b", 11, 12)],
    ],
    [
      "legal",
      "an unknown write that took effect late",
      [write("a", 0, OPEN_ENDED), read(undefined, 1, 2), read("a", 3, 4)],
    ],
    [
      "legal",
      "an unknown write whose caller gave up: it may take effect later",
      [{ ...write("a", 0, 1), outcome: "unknown" }, read(undefined, 2, 3), read("a", 4, 5)],
    ],
    [
      "legal",
      "an unknown write that never took effect",
      [write("a", 0, OPEN_ENDED), read(undefined, 1, 2), read(undefined, 3, 4)],
    ],
    [
      "illegal",
      "an unknown write that came and went",
      [write("a", 0, OPEN_ENDED), read("a", 1, 2), read(undefined, 3, 4)],
    ],
    [
      "legal",
      "an unknown write that came, and an unknown deletion",
      [write("a", 0, OPEN_ENDED), write(undefined, 1, OPEN_ENDED), read("a", 2, 3)],
    ],
    [
      "legal",
      "an unknown deletion that took what was there",
      [write("a", 0, 1), write(undefined, 2, OPEN_ENDED), read("a", 3, 4), read(undefined, 5, 6)],
    ],
    [
      "illegal",
      "an unknown write that is seen before it is called",
      [read("a", 0, 1), write("a", 2, OPEN_ENDED), read("a", 3, 4)],
    ],
    [
      "illegal",
      "an acknowledged write that never took effect",
      [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    ],
    [
      "legal",
      "a deletion, which is a write of nothing",
      [write("a", 0, 1), write(undefined, 2, 3), read(undefined, 4, 5)],
    ],
    ["illegal", "a deletion undone", [write("a", 0, 1), write(undefined, 2, 3), read("a", 4, 5)]],
    ["legal", "touching at one place is overlapping", [write("a", 0, 1), read(undefined, 1, 2)]],
    [
      "legal",
      "the same value, written twice and read in between another",
      [write("a", 0, 1), write("b", 2, 3), write("a", 4, 5), read("a", 6, 7)],
    ],
    [
      "legal",
      "objects and bytes are equal by what they hold",
      [write({ a: [1, new Uint8Array([2])] }, 0, 1), read({ a: [1, new Uint8Array([2])] }, 2, 3)],
    ],
    ["illegal", "a number is not its text", [write(1, 0, 1), read("1", 2, 3)]],
    ["illegal", "null is something", [write(null, 0, 1), read(undefined, 2, 3)]],
    [
      "illegal",
      "no single copy has siblings",
      [write("a", 0, 1), { ...read("a", 2, 3), output: { siblings: ["a", "b"] } }],
    ],
    [
      "illegal",
      "siblings where nothing was ever written",
      [{ ...read("a", 2, 3), output: { siblings: ["a", "b"] } }],
    ],
    [
      "illegal",
      "a write that was refused, and yet is there",
      [{ ...write("a", 0, 1), outcome: "not-applied" }, read("a", 2, 3)],
    ],
  ])("%s: %s", (verdict, _what, history) => {
    expect(verdictOf(history)).toBe(verdict);
    expect(checkLinearizable(searching(registerModel), history).verdict).toBe(verdict);
    expect(checkLinearizable(plain(registerModel), history).verdict).toBe(verdict);
    expect(checkLinearizable(batchRegisterModel, history).verdict).toBe(verdict);
  });
});

describe("known histories of registers that batches tie together", () => {
  const both = (value: string) => [
    { key: "a", value },
    { key: "b", value },
  ];
  test.each<[string, string, KeyValueOperation[]]>([
    [
      "legal",
      "both are there",
      [batch(both("x"), 0, 1), read("x", 2, 3, "a"), read("x", 4, 5, "b")],
    ],
    [
      "illegal",
      "one is there and the other is not",
      [batch(both("x"), 0, 9), read("x", 1, 2, "a"), read(undefined, 3, 4, "b")],
    ],
    [
      "legal",
      "neither is there yet, then both",
      [
        batch(both("x"), 0, 9),
        read(undefined, 1, 2, "a"),
        read("x", 3, 4, "b"),
        read("x", 5, 6, "a"),
      ],
    ],
    [
      "illegal",
      "two batches in two orders",
      [
        batch(both("x"), 0, 9),
        batch(both("y"), 1, 9),
        read("x", 11, 12, "a"),
        read("y", 13, 14, "b"),
      ],
    ],
    [
      "legal",
      "an unknown batch that took effect late",
      [batch(both("x"), 0, OPEN_ENDED), read(undefined, 1, 2, "a"), read("x", 3, 4, "b")],
    ],
    [
      "illegal",
      "an unknown batch that took effect by half",
      [batch(both("x"), 0, OPEN_ENDED), read("x", 1, 2, "a"), read(undefined, 3, 4, "b")],
    ],
    [
      "legal",
      "a batch deletes, and another key stays",
      [
        batch(both("x"), 0, 1),
        batch([{ key: "a", value: undefined }], 2, 3),
        read(undefined, 4, 5, "a"),
        read("x", 6, 7, "b"),
      ],
    ],
  ])("%s: %s", (verdict, _what, history) => {
    expect(checkLinearizable(batchRegisterModel, history).verdict).toBe(verdict);
    expect(checkLinearizable(plain(batchRegisterModel), history).verdict).toBe(verdict);
  });

  test("the plain register refuses them", () => {
    expect(() => checkLinearizable(registerModel, [batch(both("x"), 0, 1)])).toThrow(
      /batchRegisterModel/,
    );
  });

  test("keys that a batch ties together are judged together, others apart", () => {
    const history = [
      write("x", 0, 1, "a"),
      write("x", 2, 3, "b"),
      write("x", 4, 5, "c"),
      write("x", 6, 7, "d"),
      batch(
        [
          { key: "b", value: "y" },
          { key: "d", value: "y" },
        ],
        8,
        9,
      ),
    ];
    expect(checkLinearizable(batchRegisterModel, history)).toMatchObject({ parts: 3 });
  });
});

/** Tries every order of every subset that holds all operations that returned. */
function permutes(model: Model<unknown>, history: readonly KeyValueOperation[]): boolean {
  const left = new Set(history);
  const search = (state: unknown): boolean => {
    if ([...left].every(({ returnedAt }) => returnedAt === OPEN_ENDED)) return true;
    for (const next of [...left]) {
      const mustComeBefore = [...left].some(
        (other) => other !== next && other.returnedAt < next.calledAt,
      );
      if (mustComeBefore) continue;
      const stepped = model.step(state, next.input, next.output);
      if (stepped === undefined) continue;
      left.delete(next);
      if (search(stepped.state)) return true;
      left.add(next);
    }
    return false;
  };
  return search(model.initial);
}

/** Up to seven operations at random places with random answers. Values may be written twice. */
function randomHistory(random: SeededRandom, keys: readonly string[]): KeyValueOperation[] {
  const value = () => [undefined, "a", "b", "c"][below(random, 4)];
  return Array.from({ length: 1 + below(random, 7) }, () => {
    const calledAt = below(random, 12);
    const returnedAt = calledAt + 1 + below(random, 6);
    const key = keys[below(random, keys.length)] as string;
    if (below(random, 2) === 0) return read(value(), calledAt, returnedAt, key);
    const end = below(random, 4) === 0 ? OPEN_ENDED : returnedAt;
    if (keys.length === 1 || below(random, 3) > 0) return write(value(), calledAt, end, key);
    const writes = keys.map((each) => ({ key: each, value: value() }));
    return batch(writes, calledAt, end);
  });
}

test.each([
  ["one register", registerModel as Model<unknown>, ["k"], 4_000],
  ["two registers with batches", batchRegisterModel as Model<unknown>, ["a", "b"], 3_000],
])("agrees with trying every order: %s", (name, model, keys, rounds) => {
  const random = new SeededRandom(1, name);
  const seen = { legal: 0, illegal: 0 };
  for (let round = 0; round < rounds; round++) {
    const history = randomHistory(random, keys);
    const expected = permutes(model, history) ? "legal" : "illegal";
    seen[expected]++;
    const options = { shrink: false };
    for (const each of [model, searching(model), plain(model)]) {
      const said = checkLinearizable(each, history, options).verdict;
      expect(said, JSON.stringify(history)).toBe(expected);
    }
  }
  expect(Math.min(seen.legal, seen.illegal)).toBeGreaterThan(rounds / 6);
});

test.each([
  ["decided without a search where that can be", registerModel],
  ["by search", searching(registerModel)],
])("legal histories pass, changed ones mostly do not: %s", (_how, model) => {
  const verdictOf = (history: readonly KeyValueOperation[]) =>
    checkLinearizable(model, history, { shrink: false }).verdict;
  const random = new SeededRandom(2, "histories");
  let caught = 0;
  let mutated = 0;
  for (let round = 0; round < 300; round++) {
    const history = legalHistory(random, { length: 60, spread: 40, unknownOneIn: 12 });
    expect(verdictOf(history), JSON.stringify(history)).toBe("legal");
    const changed = withOneReadChanged(random, history);
    if (changed === undefined) continue;
    mutated++;
    if (verdictOf(changed) === "illegal") caught++;
  }
  expect(mutated).toBeGreaterThan(200);
  // Some eight operations overlap at any place, so that a few changed answers are legal as well.
  expect(caught / mutated).toBeGreaterThan(0.75);
});

test("some thirty operations at once on one key are judged within few steps", () => {
  const random = new SeededRandom(4, "histories");
  for (let round = 0; round < 10; round++) {
    const options = { length: 800, spread: 160, unknownOneIn: 12 };
    const history = legalHistory(random, options);
    const result = checkLinearizable(searching(registerModel), history);
    expect(result.verdict).toBe("legal");
    expect(result.steps).toBeLessThan(500_000);
  }
});

describe("bounds", () => {
  const model = searching(registerModel);
  const history = legalHistory(new SeededRandom(3, "histories"), {
    length: 400,
    spread: 60,
    unknownOneIn: 12,
  });

  test("without them it is judged", () => {
    expect(checkLinearizable(model, history).verdict).toBe("legal");
  });

  test.each([
    [{ maxSteps: 50 }, "the bound of 50 steps"],
    [{ maxCacheEntries: 20 }, "the bound of 20 remembered configurations"],
  ])("%o gives up, says so, and does the same each time", (options, reason) => {
    const bounded = checkLinearizable(model, history, options);
    expect(bounded).toMatchObject({
      verdict: "unknown",
      keys: ["k"],
      reason: `${reason} was reached before any answer`,
    });
    expect(checkLinearizable(model, history, options)).toEqual(bounded);
  });

  test("one illegal key makes the whole illegal, although another was given up", () => {
    const both = [...history, read("never written", 0, 1, "other")];
    expect(checkLinearizable(model, both, { maxSteps: 50 })).toMatchObject({
      verdict: "illegal",
      keys: ["other"],
    });
  });
});
