import { expect, test } from "vitest";
import type { EncodedState } from "../../../../../src/strategies/dynamo/states/encoded-state.ts";
import { HotStates } from "../../../../../src/strategies/dynamo/states/hot-states.ts";

const key = (name: string) => Buffer.from(name);
const record = (fill: number, bytes = 10) => new Uint8Array(bytes).fill(fill);
const encoded = (state: unknown): EncodedState => ({
  state,
  bytes: new Uint8Array(0),
  list: undefined,
});

test("a state is found by its record's bytes, whichever buffer they are in", () => {
  const hot = new HotStates();
  hot.remember(key("a"), record(1), encoded("one"));
  expect(hot.find(key("a"), record(1))?.state).toBe("one");
});

test("a state is of no use for another record, or another key", () => {
  const hot = new HotStates();
  hot.remember(key("a"), record(1), encoded("one"));
  expect(hot.find(key("a"), record(2))).toBeUndefined();
  expect(hot.find(key("b"), record(1))).toBeUndefined();
});

test("the keys that were written longest ago are forgotten first", () => {
  const hot = new HotStates(30);
  for (const name of ["a", "b", "c", "a", "d"]) hot.remember(key(name), record(1), encoded(name));
  const kept = ["a", "b", "c", "d"].filter((name) => hot.find(key(name), record(1)));
  expect(kept).toEqual(["a", "c", "d"]);
});

test("no more keys are kept than may be, and one larger than all that may be kept stays alone", () => {
  const hot = new HotStates(1_000);
  for (let at = 0; at < 100; at++) hot.remember(key(`${at}`), record(1), encoded(at));
  expect(hot.size).toBe(64);
  hot.remember(key("large"), record(1, 2_000), encoded("large"));
  expect(hot.size).toBe(1);
  expect(hot.find(key("large"), record(1, 2_000))?.state).toBe("large");
});
