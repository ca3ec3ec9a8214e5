import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { Actor } from "../../../../src/core/model/stamp.ts";
import { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import { DotSupply } from "../../../../src/strategies/dynamo/dot-supply.ts";
import type { PlantedDynamoBugs } from "../../../../src/strategies/dynamo/planted-bugs.ts";

const TIME = 5_000;

/** Actors are drawn as 1.2, 3.4, 5.6, … */
function supply(planted: PlantedDynamoBugs = {}): DotSupply {
  let drawn = 0;
  const self = { node: "n1" as NodeId } as never;
  return new DotSupply({ self, randomUint32: () => ++drawn }, 7, planted);
}

/** Knows every event of the actor up to that one. */
function knowing(actor: Actor, counter: number): CausalContext {
  return CausalContext.EMPTY.with({ actor, counter, time: TIME });
}

const FIRST: Actor = { high: 1, low: 2 };
const SECOND: Actor = { high: 3, low: 4 };
const THIRD: Actor = { high: 5, low: 6 };

test("a number is given until an event is kept under it, and then never again", () => {
  const dots = supply();
  const next = () => dots.next(CausalContext.EMPTY, undefined, TIME);
  expect([next(), next()]).toEqual([
    { actor: FIRST, counter: 1 },
    { actor: FIRST, counter: 1 },
  ]);
  dots.take();
  expect(next()).toEqual({ actor: FIRST, counter: 2 });
  expect(dots.minted).toBe(1);
});

test("a context that covers the next event, held or seen, gets one of another actor", () => {
  const dots = supply();
  const made = knowing(FIRST, 9);
  expect(dots.next(made, undefined, TIME)).toEqual({ actor: SECOND, counter: 1 });
  expect(dots.next(CausalContext.EMPTY, made, TIME)).toEqual({ actor: SECOND, counter: 1 });
  expect(dots.next(CausalContext.EMPTY, undefined, TIME).actor).toEqual(FIRST);
});

test("the number goes on over both actors", () => {
  const dots = supply();
  dots.next(knowing(FIRST, 9), undefined, TIME);
  dots.take();
  expect(dots.next(CausalContext.EMPTY, undefined, TIME)).toEqual({ actor: FIRST, counter: 2 });
});

test("whoever makes up events of the other actor, too, gets a third one", () => {
  const dots = supply();
  const both = knowing(FIRST, 9).with({ actor: SECOND, counter: 9, time: TIME });
  expect(dots.next(knowing(FIRST, 9), undefined, TIME).actor).toEqual(SECOND);
  expect(dots.next(both, undefined, TIME).actor).toEqual(THIRD);
});

test("once a copy has left, events are another actor's, and their numbers go on", () => {
  const dots = supply();
  dots.take();
  dots.renew();
  expect(dots.next(CausalContext.EMPTY, undefined, TIME)).toEqual({ actor: SECOND, counter: 2 });
  expect(dots.next(knowing(SECOND, 9), undefined, TIME).actor).toEqual(THIRD);
});

test("a planted bug takes the same actor at every start", () => {
  const bug = { actorReused: true };
  expect(supply(bug).actor).toEqual(supply(bug).actor);
  expect(supply(bug).actor).toEqual({ high: 7, low: "n".charCodeAt(0) });
});
