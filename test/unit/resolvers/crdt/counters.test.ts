import { describe, expect, test } from "vitest";
import { actorName } from "../../../../src/core/model/actor-name.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import type { ActorSums } from "../../../../src/resolvers/crdt/actor-sums.ts";
import { gCounter, pnCounter } from "../../../../src/resolvers/crdt/counters.ts";

const COUNTER = pnCounter();
const START_MS = Date.UTC(2026, 0, 1);
const MOST = Number.MAX_SAFE_INTEGER;

function add(state: ActorSums, amount: number, actor: string, counter: number): ActorSums {
  const operation = amount < 0 ? { decrement: -amount } : { increment: amount };
  return COUNTER.mutate(state, operation, { actor, counter, time: 0 });
}

test("both sides of a cut count", () => {
  const before = add([], 10, "a", 1);
  const [left, right] = [add(before, 5, "a", 2), add(before, -3, "b", 1)];
  expect(COUNTER.value(COUNTER.join(left, right))).toBe(12);
  expect(COUNTER.join(right, left)).toEqual(COUNTER.join(left, right));
});

test("counts that go down and up again are not taken for old ones", () => {
  const up = add([], 5, "a", 1);
  const down = add(up, -5, "a", 4);
  expect(COUNTER.value(COUNTER.join(down, up))).toBe(0);
  expect(COUNTER.value(COUNTER.join(up, down))).toBe(0);
});

test("a delta that was lost is in the next one", () => {
  const first = add([], 5, "a", 1);
  const dot = { actor: "a", counter: 2, time: 0 };
  const delta = COUNTER.delta?.(first, { increment: 1 }, dot) ?? [];
  expect(COUNTER.value(COUNTER.join([], delta))).toBe(6);
  expect(COUNTER.follows).toBeUndefined();
});

describe("bounds", () => {
  test.each([
    ["above what a number counts", [["a", 1, MOST]], 1, /counter at 9007199254740991 .* by 1/],
    ["of all actors together", [["b", 1, MOST - 1]], 2, /at 9007199254740990 cannot .* by 2/],
    ["below", [["a", 1, -MOST]], -1, /counter at -9007199254740991 cannot change by -1/],
  ] as const)("an amount that leads %s is refused", (_what, state, amount, message) => {
    expect(() => add(state, amount, "a", 2)).toThrow(message);
  });

  test("concurrent amounts that lead beyond are the nearest number, in every order", () => {
    const [left, right] = [add([], MOST, "b", 1), add([], MOST, "a", 1)];
    const third = add([], -1, "c", 1);
    const joined = COUNTER.join(COUNTER.join(left, third), right);
    expect(COUNTER.value(joined)).toBe(Number(2n * BigInt(MOST) - 1n));
    expect(COUNTER.value(COUNTER.join(right, COUNTER.join(third, left)))).toBe(
      COUNTER.value(joined),
    );
  });

  test("a sum that is exact again is exact", () => {
    const state: ActorSums = [
      ["a", 1, MOST],
      ["b", 1, 3],
      ["c", 1, -MOST],
    ];
    expect(COUNTER.value(state)).toBe(3);
  });
});

test("a g-counter takes no decrement", () => {
  expect(() => gCounter().checkOperation({ decrement: 1 })).toThrow(
    '{"decrement":1} is no operation of g-counter; allowed: { increment: 1 }',
  );
});

test.each([0, -1, 1.5, "1", MOST + 1, Number.NaN, null, 1n])(
  "an amount of %s is refused with what is allowed",
  (increment) => {
    expect(() => COUNTER.checkOperation({ increment })).toThrow(
      /is no operation of pn-counter; allowed: \{ increment: a whole number from 1 to 9007199254740991 \}/,
    );
  },
);

test("1,000 starts of three nodes leave one sum of the past, and those of the living", () => {
  let states: ActorSums[] = [[], [], []];
  let expected = 0;
  for (let start = 1; start <= 1_000; start += 1) {
    const endsAtMs = START_MS + start * 1_000;
    states = states.map((state, at) => {
      expected += at + 1;
      return add(state, at + 1, actorName(`${at}.${start}`, endsAtMs), 3);
    });
    const joined = states.reduce(COUNTER.join);
    if (start % 10 > 0) continue;
    // One of them is given nothing: it gets there by a join.
    states = states.map((_, at) =>
      at === 2 ? joined : (COUNTER.retireActors?.(joined, hybridTimeOf(endsAtMs)) ?? joined),
    );
    states = states.map((state, at) => COUNTER.join(state, states[(at + 1) % 3] as ActorSums));
    for (const state of states) {
      expect(state).toHaveLength(1);
      expect(COUNTER.value(state)).toBe(expected);
      expect(encodeValue(state).length).toBeLessThan(24);
    }
  }
});

test("the sum of the past is exact beyond what a number holds", () => {
  const name = (id: string): string => actorName(id, START_MS);
  const state: ActorSums = [
    [name("a"), 1, MOST],
    [name("b"), 1, MOST],
    [name("c"), 1, 2],
    ["d", 1, -MOST],
  ];
  const settled = COUNTER.retireActors?.(state, hybridTimeOf(START_MS)) ?? state;
  expect(settled).toEqual([
    ["", hybridTimeOf(START_MS), 2n * BigInt(MOST) + 2n],
    ["d", 1, -MOST],
  ]);
  expect(COUNTER.value(settled)).toBe(COUNTER.value(state));
  const down = add(settled, -5, "e", 1);
  expect(COUNTER.value(down)).toBe(MOST - 3);
});
