import { expect, test } from "vitest";
import { HistoryRecorder, OPEN_ENDED } from "../../../src/verification/index.ts";

test("keeps the order of calls and answers, and leaves unknown ones open", () => {
  const recorder = new HistoryRecorder<string, number>();
  const first = recorder.call({ client: "c1", input: "first", node: "n1", level: "quorum" });
  const second = recorder.call({ client: "c2", input: "second" });
  const third = recorder.call({ client: "c3", input: "third" });
  recorder.call({ client: "c4", input: "never answered" });
  second.applied(2, { level: "one", achieved: "one" });
  first.unknown();
  third.notApplied();
  expect(recorder.operations()).toEqual([
    {
      client: "c1",
      node: "n1",
      level: "quorum",
      input: "first",
      outcome: "unknown",
      calledAt: 0,
      returnedAt: OPEN_ENDED,
    },
    {
      client: "c2",
      input: "second",
      output: 2,
      level: "one",
      achieved: "one",
      outcome: "applied",
      calledAt: 1,
      returnedAt: 4,
    },
    { client: "c3", input: "third", outcome: "not-applied", calledAt: 2, returnedAt: 5 },
    {
      client: "c4",
      input: "never answered",
      outcome: "unknown",
      calledAt: 3,
      returnedAt: OPEN_ENDED,
    },
  ]);
});

test("the level that was asked wins over the one that the answer tells", () => {
  const recorder = new HistoryRecorder<string, number>();
  recorder.call({ client: "c", input: "x", level: "eventual" }).applied(1, { level: "one" });
  expect(recorder.operations()).toMatchObject([{ level: "eventual" }]);
});

test("a client goes on under a new name after each unknown outcome, and only then", () => {
  const recorder = new HistoryRecorder<string, number>();
  const outcomes = ["applied", "unknown", "not-applied", "unknown", "applied"] as const;
  for (const outcome of outcomes) recorder.call({ client: "c", input: "x" }).ended(outcome);
  recorder.call({ client: "d", input: "x" }).applied();
  const clients = recorder.operations().map(({ client }) => client);
  expect(clients).toEqual(["c", "c", "c~2", "c~2", "c~3", "d"]);
});

test("two unknown outcomes of one life begin one new life", () => {
  const recorder = new HistoryRecorder<string, number>();
  const first = recorder.call({ client: "c", input: "x" });
  const second = recorder.call({ client: "c", input: "y" });
  first.unknown();
  second.unknown();
  recorder.call({ client: "c", input: "z" }).applied();
  expect(recorder.operations().map(({ client }) => client)).toEqual(["c", "c", "c~2"]);
});

test("keeps times where it is given a clock", () => {
  let nowMs = 10;
  const recorder = new HistoryRecorder<string, number>({ now: () => nowMs });
  const known = recorder.call({ client: "c", input: "x" });
  const unknown = recorder.call({ client: "d", input: "y" });
  nowMs = 12.5;
  known.applied(1);
  unknown.unknown();
  const [first, second] = recorder.operations();
  expect(first).toMatchObject({ calledAtMs: 10, returnedAtMs: 12.5 });
  expect(second).toMatchObject({ calledAtMs: 10 });
  expect(second).not.toHaveProperty("returnedAtMs");
});

test("refuses a second answer", () => {
  const recorder = new HistoryRecorder<string, number>();
  const call = recorder.call({ client: "c", input: "x" });
  call.applied(1);
  expect(() => call.unknown()).toThrow("call 0 of c was answered twice");
  expect(() => call.notApplied()).toThrow(/twice/);
});

test("an unknown outcome may be settled later, once", () => {
  const recorder = new HistoryRecorder<string, number>();
  const first = recorder.call({ client: "c", input: "x" });
  const second = recorder.call({ client: "d", input: "y" });
  first.unknown();
  second.unknown();
  first.applied(1);
  second.notApplied();
  expect(recorder.operations()).toMatchObject([
    { client: "c", outcome: "applied", output: 1, returnedAt: 2 },
    { client: "d", outcome: "not-applied", returnedAt: 3 },
  ]);
  expect(() => first.applied(2)).toThrow(/twice/);
});

test("an outcome is not unknown twice", () => {
  const recorder = new HistoryRecorder<string, number>();
  const call = recorder.call({ client: "c", input: "x" });
  call.unknown();
  expect(() => call.unknown()).toThrow(/twice/);
});
