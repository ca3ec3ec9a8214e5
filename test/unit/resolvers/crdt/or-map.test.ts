import { describe, expect, test } from "vitest";
import type { OperationDot } from "../../../../src/core/contracts/resolver.ts";
import { gCounter, pnCounter } from "../../../../src/resolvers/crdt/counters.ts";
import {
  type MapOperation,
  type OrMapState,
  orMap,
} from "../../../../src/resolvers/crdt/or-map.ts";
import { orSet, type SetOperation } from "../../../../src/resolvers/crdt/or-set.ts";
import { crdtsByName } from "../../../../src/resolvers/resolvers-by-name.ts";

const SETS = orMap(orSet<string>());
const dot = (actor: string, counter: number): OperationDot => ({ actor, counter, time: 0 });
const add = (key: string, element: string): MapOperation<SetOperation<string>> => ({
  update: { key, operation: { add: element } },
});

describe("a key", () => {
  test("reads as the join of what concurrent updates left", () => {
    const before = SETS.mutate(SETS.initial(), add("k", "x"), dot("a", 1));
    const left = SETS.mutate(before, add("k", "y"), dot("a", 2));
    const right = SETS.mutate(
      before,
      { update: { key: "k", operation: { remove: "x" } } },
      dot("b", 1),
    );
    expect(SETS.value(SETS.join(left, right))).toEqual({ k: ["y"] });
  });

  test("that was removed stays as a concurrent update left it, and no more often (riak_dt#53)", () => {
    const counters = orMap(pnCounter());
    const increment = { update: { key: "k", operation: { increment: 5 } } } as const;
    const before = counters.mutate(counters.initial(), increment, dot("a", 1));
    const removed = counters.mutate(before, { remove: "k" }, dot("a", 2));
    const updated = counters.mutate(before, increment, dot("b", 1));
    expect(counters.value(removed)).toEqual({});
    expect(counters.value(counters.join(removed, updated))).toEqual({ k: 10 });
    expect(counters.value(counters.join(counters.join(updated, removed), before))).toEqual({
      k: 10,
    });
  });

  test("that was removed everywhere is gone, also from who hears of an old update", () => {
    const before = SETS.mutate(SETS.initial(), add("k", "x"), dot("a", 1));
    const removed = SETS.mutate(before, { remove: "k" }, dot("b", 1));
    expect(SETS.value(SETS.join(removed, before))).toEqual({});
    expect(removed).toEqual({ context: [["a", 0, 1]], entries: [] });
  });

  test("has one state after an update that saw the others", () => {
    const states = ["a", "b", "c"].map((actor) =>
      SETS.mutate(SETS.initial(), add("k", actor), dot(actor, 1)),
    );
    const joined = states.reduce(SETS.join);
    expect(joined.entries[0]?.[1]).toHaveLength(3);
    const settled = SETS.mutate(joined, add("k", "d"), dot("d", 1));
    expect(settled.entries[0]?.[1]).toHaveLength(1);
    expect(SETS.value(settled)).toEqual({ k: ["a", "b", "c", "d"] });
  });

  test("may have any name", () => {
    const state = SETS.mutate(SETS.initial(), add("__proto__", "x"), dot("a", 1));
    expect(Object.entries(SETS.value(state))).toEqual([["__proto__", ["x"]]]);
  });
});

test("a delta is one key's, however many there are", () => {
  let state: OrMapState = SETS.initial() as OrMapState;
  const map = SETS as unknown as { mutate(s: OrMapState, o: unknown, d: OperationDot): OrMapState };
  for (let at = 1; at <= 100; at += 1) state = map.mutate(state, add(`k${at}`, "x"), dot("a", at));
  const delta = SETS.delta?.(state as never, add("k7", "y"), dot("a", 101));
  expect(delta?.entries.map(([key]) => key)).toEqual(["k7"]);
  expect(delta?.context).toEqual([
    ["a", 6, 7],
    ["a", 100, 101],
  ]);
});

describe("the built-in map", () => {
  const map = crdtsByName()["or-map"] as ReturnType<typeof orMap>;
  const update = (key: string, operation: unknown) => ({ update: { key, operation } });

  test("has keys of different kinds, and a key of two kinds by their names", () => {
    let state = map.mutate(
      map.initial(),
      update("likes", { "pn-counter": { increment: 3 } }),
      dot("a", 1),
    );
    state = map.mutate(state, update("tags", { "or-set": { add: "x" } }), dot("a", 2));
    expect(map.value(state)).toEqual({ likes: 3, tags: ["x"] });
    state = map.mutate(state, update("tags", { flag: { enable: true } }), dot("a", 3));
    expect(map.value(state)).toEqual({ likes: 3, tags: { flag: true, "or-set": ["x"] } });
  });

  test("names the kinds that there are", () => {
    expect(() => map.checkOperation(update("k", { "x-set": { add: 1 } }))).toThrow(
      /^\{"x-set":\{"add":1\}\} is no operation of this map's keys; allowed: .*\{ "or-set": operation \}/,
    );
    expect(() => map.checkOperation(update("k", { flag: { enable: 1 } }))).toThrow(
      /is no operation of flag/,
    );
  });

  test("says of which kind a state is that this version does not know", () => {
    const state = { context: [["a", 0, 1]], entries: [["k", [["a", 1, [["x-set", 5]]]]]] };
    expect(() => map.value(state as never)).toThrow(
      'a state is of the kind "x-set"; allowed: g-counter, pn-counter',
    );
  });
});

test("a map has the name of what it holds, or the one that it is given", () => {
  expect(orMap(gCounter()).name).toBe("or-map.g-counter");
  expect(orMap(gCounter(), { name: "votes" }).name).toBe("votes");
});
