import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { actorName } from "../../../../src/core/model/actor-name.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import {
  type CausalContext,
  coverOf,
  exactly,
  followsContext,
  joinContexts,
  retireContext,
  runOf,
  sharedDots,
} from "../../../../src/resolvers/crdt/causal-context.ts";

const END_MS = Date.UTC(2030, 0, 1);

type DotTuple = readonly [actor: string, counter: number];

const ACTORS = ["a", "b", "__proto__"];
const MOST = 12;
const dots = fc.array(fc.tuple(fc.constantFrom(...ACTORS), fc.integer({ min: 1, max: MOST })), {
  maxLength: 14,
});

function named(list: readonly DotTuple[]): Set<string> {
  return new Set(list.map(([actor, counter]) => `${actor} ${counter}`));
}

function inside(context: CausalContext): Set<string> {
  const cover = coverOf(context);
  const all = ACTORS.flatMap((actor) =>
    Array.from({ length: MOST + 2 }, (_, at): DotTuple => [actor, at]),
  );
  return named(all.filter(([actor, counter]) => cover(actor, counter)));
}

test("a context has the dots that it was made of, and no others", () => {
  fc.assert(
    fc.property(dots, (list) => {
      expect(inside(exactly(list))).toEqual(named(list));
    }),
  );
});

test("a join has the dots of both, in one form, whatever the order", () => {
  fc.assert(
    fc.property(dots, dots, (listA, listB) => {
      const [a, b] = [exactly(listA), exactly(listB)];
      const joined = joinContexts(a, b);
      expect(inside(joined)).toEqual(named([...listA, ...listB]));
      expect(joinContexts(b, a)).toEqual(joined);
      expect(exactly([...listB, ...listA])).toEqual(joined);
      expect(joinContexts(joined, b)).toBe(joined);
      expect(joinContexts(a, a)).toBe(a);
    }),
  );
});

test("of two contexts the dots that both have are counted", () => {
  fc.assert(
    fc.property(dots, dots, (listA, listB) => {
      const both = [...named(listA)].filter((dot) => named(listB).has(dot));
      expect(sharedDots(exactly(listA), exactly(listB))).toBe(both.length);
    }),
  );
});

test("runs are sorted, and of one actor never touch", () => {
  fc.assert(
    fc.property(dots, (list) => {
      const context = exactly(list);
      context.forEach(([actor, from, upTo], at) => {
        expect(from).toBeLessThan(upTo);
        const [before, , end] = context[at - 1] ?? ["", 0, -1];
        expect(before < actor || (before === actor && end < from)).toBe(true);
      });
    }),
  );
});

describe("a mutation's run", () => {
  test("begins where the actor's last ended, though counters skip", () => {
    const context: CausalContext = [["a", 0, 3]];
    expect(runOf(context, { actor: "a", counter: 9 })).toEqual([["a", 3, 9]]);
    expect(joinContexts(context, runOf(context, { actor: "a", counter: 9 }))).toEqual([
      ["a", 0, 9],
    ]);
  });

  test("of an actor that is new here begins at its start", () => {
    expect(runOf([["a", 0, 3]], { actor: "b", counter: 7 })).toEqual([["b", 0, 7]]);
  });
});

describe("a delta follows", () => {
  test.each<[string, CausalContext, CausalContext, boolean]>([
    ["where it begins at the start", [], [["a", 0, 4]], true],
    ["where it touches what is there", [["a", 0, 4]], [["a", 4, 5]], true],
    ["where all of it is there", [["a", 0, 9]], [["a", 4, 5]], true],
    ["behind a gap that is there already", [["a", 6, 7]], [["a", 7, 8]], true],
    ["not behind a gap", [["a", 0, 4]], [["a", 5, 6]], false],
    ["not into a gap that it does not close", [["a", 6, 7]], [["a", 3, 4]], false],
    [
      "not where one actor's part does not",
      [["a", 0, 4]],
      [
        ["a", 4, 5],
        ["b", 1, 2],
      ],
      false,
    ],
  ])("%s", (_what, context, delta, expected) => {
    expect(followsContext(context, delta)).toBe(expected);
  });
});

describe("a context with a base", () => {
  const [A, B, LIVING] = [
    actorName("a", END_MS),
    actorName("b", END_MS),
    actorName("c", END_MS * 2),
  ];
  const BASE = hybridTimeOf(END_MS);
  const whole: CausalContext = [
    [A, 0, 4],
    [B, 2, 5],
    [LIVING, 0, 1],
  ];
  const settled: CausalContext = [
    ["", 0, BASE],
    [LIVING, 0, 1],
  ];

  test("names no actor that has ended by then, and has seen all that they did", () => {
    expect(retireContext(whole, BASE)).toEqual(settled);
    const cover = coverOf(settled);
    expect([cover(A, 99), cover(B, 1), cover(LIVING, 1), cover(LIVING, 2)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  test("stays the very same where it has that base, or a later one", () => {
    expect(retireContext(settled, BASE)).toBe(settled);
    expect(retireContext(settled, BASE - 1)).toBe(settled);
  });

  test("names an actor that ends a moment later", () => {
    expect(retireContext(whole, BASE - 1)).toEqual([["", 0, BASE - 1], ...whole]);
  });

  test("joins with one that has an earlier base, or none, in either order", () => {
    const more: CausalContext = [
      ["", 0, BASE - 9],
      [B, 0, 9],
      [LIVING, 0, 3],
    ];
    const joined = [
      ["", 0, BASE],
      [LIVING, 0, 3],
    ];
    expect(joinContexts(settled, more)).toEqual(joined);
    expect(joinContexts(more, settled)).toEqual(joined);
    expect(joinContexts(settled, whole)).toBe(settled);
    expect(joinContexts(whole, settled)).toEqual(settled);
  });

  test("shares with a delta what the delta has of ended actors", () => {
    expect(sharedDots(settled, [[A, 3, 5]])).toBe(2);
    expect(sharedDots(whole, settled)).toBe(Number.POSITIVE_INFINITY);
  });
});
