import { expect, test } from "vitest";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import { encodeRecord, type Sibling } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { type Seen, unseenIn } from "../../../../src/strategies/dynamo/unseen-versions.ts";

const ACTOR = { high: 1, low: 2 };

function version(counter: number, value: string | undefined, expiresAtMs?: number): Sibling {
  const encoded = value === undefined ? undefined : encodeValue(value);
  const sibling = { dot: { actor: ACTOR, counter }, time: 10 * counter, value: encoded };
  return expiresAtMs === undefined ? sibling : { ...sibling, expiresAtMs };
}

function recordOf(siblings: readonly Sibling[], newestTime = 90): Uint8Array {
  const context = CausalContext.of([{ actor: ACTOR, counter: 9, time: newestTime }]);
  return encodeRecord({ context, newestTime, siblings, states: [] });
}

function countersUnseen(
  siblings: readonly Sibling[],
  value: string | undefined,
  seen?: Seen,
): readonly number[] {
  const own = value === undefined ? undefined : encodeValue(value);
  return unseenIn(recordOf(siblings), own, seen).map(({ counter }) => counter);
}

test("a write that is alone has seen all that its record says", () => {
  expect(countersUnseen([version(9, "b")], "b")).toEqual([]);
  expect(countersUnseen([version(9, "b", 5_000)], "b")).toEqual([]);
  expect(countersUnseen([version(9, undefined)], undefined)).toEqual([]);
  expect(countersUnseen([], undefined)).toEqual([]);
});

test("what stands beside it was not seen, unless the client had said so", () => {
  const siblings = [version(3, "a"), version(5, "x", 7_000), version(9, "b")];
  expect(countersUnseen(siblings, "b")).toEqual([3, 5]);
  const context = CausalContext.of([{ actor: ACTOR, counter: 4, time: 40 }]);
  expect(countersUnseen(siblings, "b", { context, unseen: [] })).toEqual([5]);
  // It had written upon a write that stood beside that one, and so handed it on.
  const unseen = [{ actor: ACTOR, counter: 3, time: 30 }];
  expect(countersUnseen(siblings, "b", { context, unseen })).toEqual([3, 5]);
  expect(countersUnseen([version(3, "a")], undefined)).toEqual([3]);
});

test("nothing was seen where what was not seen is not known", () => {
  const siblings = [version(3, "a"), version(9, "b")];
  const context = CausalContext.of([{ actor: ACTOR, counter: 8, time: 80 }]);
  const elsewhere = { actor: { high: 7, low: 7 }, counter: 1, time: 35 };
  expect(countersUnseen(siblings, "b", { context, unseen: [] })).toEqual([]);
  // It may be what has replaced the third, which is alive here.
  expect(countersUnseen(siblings, "b", { context, unseen: [elsewhere] })).toEqual([3]);
});

test("what has taken its place was not seen", () => {
  expect(countersUnseen([version(9, "e")], "b")).toEqual([9]);
  expect(countersUnseen([version(9, undefined)], "b")).toEqual([9]);
  expect(countersUnseen([version(9, "e")], undefined)).toEqual([9]);
});

test("of several with its value the newest event is the write, or none of them", () => {
  expect(countersUnseen([version(3, "b"), version(9, "b")], "b")).toEqual([3]);
  expect(countersUnseen([version(3, "b"), version(4, "b"), version(9, "d")], "b")).toEqual([
    3, 4, 9,
  ]);
  expect(countersUnseen([version(3, "b"), version(9, "d")], "b")).toEqual([9]);
});
