import fc from "fast-check";
import { expect, test } from "vitest";
import { coverOf, exactly, joinContexts } from "../../../../src/resolvers/crdt/causal-context.ts";
import {
  type Dotted,
  type DottedEntry,
  type DottedMap,
  joinDottedMaps,
} from "../../../../src/resolvers/crdt/dotted.ts";
import { compareTexts } from "../../../../src/resolvers/crdt/elements.ts";

const ACTORS = ["a", "b", "c"];
const COUNTERS = 60;
/** Which dot wrote which key: the same in every state. */
const keyOf = (actor: string, counter: number): string =>
  `key-${((counter * 7 + actor.charCodeAt(0)) % 40).toString().padStart(2, "0")}`;

type Choice = "unseen" | "held" | "removed";

/** A state that has seen, and holds, what was chosen for each dot. */
function mapOf(choices: readonly Choice[]): DottedMap<string> {
  const dots = choices.map((choice, at) => {
    const [actor, counter] = [ACTORS[at % 3] as string, 1 + Math.floor(at / 3)];
    return { choice, actor, counter };
  });
  const seen = dots.filter(({ choice }) => choice !== "unseen");
  const byKey = new Map<string, Dotted[]>();
  for (const { choice, actor, counter } of seen) {
    if (choice !== "held") continue;
    const key = keyOf(actor, counter);
    byKey.set(key, [...(byKey.get(key) ?? []), [actor, counter]]);
  }
  const entries = [...byKey].map(([key, list]): DottedEntry<string> => [key, list.sort(byDot)]);
  return {
    context: exactly(seen.map(({ actor, counter }) => [actor, counter])),
    entries: entries.sort(([keyA], [keyB]) => compareTexts(keyA, keyB)),
  };
}

function byDot([actorA, counterA]: Dotted, [actorB, counterB]: Dotted): number {
  return compareTexts(actorA, actorB) || counterA - counterB;
}

/** The definition, dot by dot. */
function dumbJoin(a: DottedMap<string>, b: DottedMap<string>): DottedMap<string> {
  const [seenByA, seenByB] = [coverOf(a.context), coverOf(b.context)];
  const holds = (map: DottedMap<string>, key: string, [actor, counter]: Dotted) =>
    map.entries.some(
      ([each, list]) => each === key && list.some((dot) => byDot(dot, [actor, counter]) === 0),
    );
  const keys = [...new Set([...a.entries, ...b.entries].map(([key]) => key))].sort(compareTexts);
  const entries = keys.flatMap((key): DottedEntry<string>[] => {
    const listOf = (map: DottedMap<string>) =>
      map.entries.find(([each]) => each === key)?.[1] ?? [];
    const mine = listOf(a).filter((dot) => holds(b, key, dot) || !seenByB(dot[0], dot[1]));
    const theirs = listOf(b).filter((dot) => !holds(a, key, dot) && !seenByA(dot[0], dot[1]));
    const list = [...mine, ...theirs].sort(byDot);
    return list.length === 0 ? [] : [[key, list]];
  });
  return { context: joinContexts(a.context, b.context), entries };
}

const large = fc.array(fc.constantFrom<Choice>("held", "held", "held", "removed", "unseen"), {
  minLength: 3 * COUNTERS,
  maxLength: 3 * COUNTERS,
});
/** As a delta is: it has seen a dot or two, and holds one or none. */
const small = fc.record({
  dots: fc.array(fc.tuple(fc.nat(3 * COUNTERS - 1), fc.constantFrom<Choice>("held", "removed")), {
    maxLength: 4,
  }),
});

function deltaOf({ dots }: { readonly dots: readonly (readonly [number, Choice])[] }) {
  const choices: Choice[] = Array.from({ length: 3 * COUNTERS }, () => "unseen");
  for (const [at, choice] of dots) choices[at] = choice;
  return mapOf(choices);
}

test("a small map is joined to a large one as if both were gone through dot by dot", () => {
  fc.assert(
    fc.property(large, small, (choices, drawn) => {
      const [a, b] = [mapOf(choices), deltaOf(drawn)];
      const joined = joinDottedMaps(a, b, compareTexts);
      expect(joined).toEqual(dumbJoin(a, b));
      expect(joinDottedMaps(b, a, compareTexts)).toEqual(joined);
      expect(joinDottedMaps(joined, b, compareTexts)).toBe(joined);
    }),
    { seed: 1, numRuns: 120 },
  );
});

test("two large maps are joined as if both were gone through dot by dot", () => {
  fc.assert(
    fc.property(large, large, (choicesA, choicesB) => {
      const [a, b] = [mapOf(choicesA), mapOf(choicesB)];
      expect(joinDottedMaps(a, b, compareTexts)).toEqual(dumbJoin(a, b));
    }),
    { seed: 2, numRuns: 20 },
  );
});
