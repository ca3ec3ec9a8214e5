import { describe, expect, test } from "vitest";
import {
  checkLinearizable,
  checkLinearizablePerKey,
  OPEN_ENDED,
  type RegisterOperation,
  type RegisterValue,
  registerModel,
  settleUnknowns,
} from "../../../src/verification/index.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

function write(
  value: RegisterValue,
  calledAt: number,
  returnedAt: number,
  key = "k",
): RegisterOperation {
  const output = returnedAt === OPEN_ENDED ? undefined : { value };
  return { client: "c", key, input: { type: "write", value }, output, calledAt, returnedAt };
}

function read(
  value: RegisterValue,
  calledAt: number,
  returnedAt: number,
  key = "k",
): RegisterOperation {
  return { client: "c", key, input: { type: "read" }, output: { value }, calledAt, returnedAt };
}

function verdictOf(history: readonly RegisterOperation[]): string {
  return checkLinearizable(registerModel, history).verdict;
}

describe("known histories of one register", () => {
  test.each<[string, string, RegisterOperation[]]>([
    ["linearizable", "nothing", []],
    ["linearizable", "a read of nothing", [read(undefined, 0, 1)]],
    ["violation", "a read of what nobody wrote", [read("a", 0, 1)]],
    ["linearizable", "write, then read", [write("a", 0, 1), read("a", 2, 3)]],
    ["violation", "a stale read", [write("a", 0, 1), read(undefined, 2, 3)]],
    ["linearizable", "an old value beside the write", [write("a", 0, 3), read(undefined, 1, 2)]],
    ["linearizable", "the new value beside the write", [write("a", 0, 3), read("a", 1, 2)]],
    [
      "violation",
      "new, then old, both beside the write",
      [write("a", 0, 9), read("a", 1, 2), read(undefined, 3, 4)],
    ],
    [
      "linearizable",
      "old, then new, both beside the write",
      [write("a", 0, 9), read(undefined, 1, 2), read("a", 3, 4)],
    ],
    ["violation", "a read from before its write", [read("a", 0, 1), write("a", 2, 3)]],
    [
      "violation",
      "two readers disagree about the order of two writes",
      [
        write("a", 0, 9),
        write("b", 1, 10),
        read("a", 11, 12),
        read("b", 13, 14),
        read("a", 15, 16),
      ],
    ],
    [
      "linearizable",
      "an unknown write that took effect late",
      [write("a", 0, OPEN_ENDED), read(undefined, 1, 2), read("a", 3, 4)],
    ],
    [
      "linearizable",
      "an unknown write that never took effect",
      [write("a", 0, OPEN_ENDED), read(undefined, 1, 2), read(undefined, 3, 4)],
    ],
    [
      "violation",
      "an unknown write that came and went",
      [write("a", 0, OPEN_ENDED), read("a", 1, 2), read(undefined, 3, 4)],
    ],
    [
      "violation",
      "an acknowledged write that never took effect",
      [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    ],
    [
      "linearizable",
      "a deletion, which is a write of nothing",
      [write("a", 0, 1), write(undefined, 2, 3), read(undefined, 4, 5)],
    ],
    [
      "linearizable",
      "operations that touch at one place overlap",
      [write("a", 0, 1), read(undefined, 1, 2)],
    ],
  ])("%s: %s", (verdict, _what, history) => {
    expect(verdictOf(history)).toBe(verdict);
    expect(verdictOf(settleUnknowns(history))).toBe(verdict);
  });
});

/** Tries every order of every subset that holds all operations that returned. */
function permutes(history: readonly RegisterOperation[]): boolean {
  const left = new Set(history);
  const search = (state: RegisterValue): boolean => {
    if ([...left].every(({ returnedAt }) => returnedAt === OPEN_ENDED)) return true;
    for (const next of [...left]) {
      const mustComeBefore = [...left].some(
        (other) => other !== next && other.returnedAt < next.calledAt,
      );
      if (mustComeBefore) continue;
      const stepped = registerModel.step(state, next.input, next.output);
      if (stepped === undefined) continue;
      left.delete(next);
      if (search(stepped.state)) return true;
      left.add(next);
    }
    return false;
  };
  return search(registerModel.initial);
}

/** Up to seven operations at random places with random answers. Values may be written twice. */
function randomHistory(random: SeededRandom): RegisterOperation[] {
  const below = (limit: number): number => random.uint32() % limit;
  const value = (): RegisterValue => [undefined, "a", "b", "c"][below(4)];
  return Array.from({ length: 1 + below(7) }, () => {
    const calledAt = below(12);
    const returnedAt = calledAt + 1 + below(6);
    if (below(2) === 0) return read(value(), calledAt, returnedAt);
    return write(value(), calledAt, below(4) === 0 ? OPEN_ENDED : returnedAt);
  });
}

test("agrees with trying every order, on 4,000 small histories", () => {
  const random = new SeededRandom(1, "histories");
  const seen = { linearizable: 0, violation: 0 };
  for (let round = 0; round < 4_000; round++) {
    const history = randomHistory(random);
    const expected = permutes(history) ? "linearizable" : "violation";
    seen[expected]++;
    expect(verdictOf(history), JSON.stringify(history)).toBe(expected);
    expect(verdictOf(settleUnknowns(history)), JSON.stringify(history)).toBe(expected);
  }
  expect(Math.min(seen.linearizable, seen.violation)).toBeGreaterThan(800);
});

/** What a real register would have answered clients that overlap. Values are unique. */
function legalHistory(random: SeededRandom, length: number): RegisterOperation[] {
  const history: RegisterOperation[] = [];
  let state: RegisterValue;
  for (let at = 0; at < length; at++) {
    const point = at * 10;
    const calledAt = point - 1 - (random.uint32() % 40);
    const returnedAt = point + 1 + (random.uint32() % 40);
    if (random.uint32() % 2 === 0) {
      state = `v${at}`;
      history.push(write(state, calledAt, random.uint32() % 12 === 0 ? OPEN_ENDED : returnedAt));
    } else {
      history.push(read(state, calledAt, returnedAt));
    }
  }
  return history;
}

test("legal histories pass; with one read's answer changed, they mostly do not", () => {
  const random = new SeededRandom(2, "histories");
  let caught = 0;
  let mutated = 0;
  for (let round = 0; round < 200; round++) {
    const history = legalHistory(random, 60);
    expect(verdictOf(settleUnknowns(history))).toBe("linearizable");
    const reads = history.flatMap(({ input }, index) => (input.type === "read" ? [index] : []));
    const at = reads[random.uint32() % reads.length];
    if (at === undefined) continue;
    const victim = history[at] as RegisterOperation;
    const values = history.flatMap(({ input }) => (input.type === "write" ? [input.value] : []));
    const value = values[random.uint32() % values.length];
    if (value === victim.output?.value) continue;
    mutated++;
    const changed = history.with(at, { ...victim, output: { value } });
    if (verdictOf(settleUnknowns(changed)) === "violation") caught++;
  }
  expect(mutated).toBeGreaterThan(150);
  // Some eight operations overlap at any place, so that a few changed answers are legal as well.
  expect(caught / mutated).toBeGreaterThan(0.75);
});

test("keys are judged apart, and the longest legal beginning is kept", () => {
  const history = [
    write("a", 0, 1, "good"),
    read("a", 2, 3, "good"),
    write("a", 4, 5, "bad"),
    write("b", 6, 7, "bad"),
    read("a", 8, 9, "bad"),
  ];
  const judgements = checkLinearizablePerKey(registerModel, history);
  expect(judgements.get("good")?.verdict).toBe("linearizable");
  expect(judgements.get("bad")?.verdict).toBe("violation");
  expect(judgements.get("bad")?.longest).toEqual(history.slice(2, 4));
});

test("gives up after its bound of steps, and says so; the same bound gives the same answer", () => {
  const history = legalHistory(new SeededRandom(3, "histories"), 200);
  const full = checkLinearizable(registerModel, history);
  const bounded = checkLinearizable(registerModel, history, { maxSteps: 50 });
  expect(full.verdict).toBe("linearizable");
  expect(bounded).toMatchObject({ verdict: "undecided", steps: 51 });
  expect(checkLinearizable(registerModel, history, { maxSteps: 50 })).toEqual(bounded);
});
