import { describe, expect, test } from "vitest";
import { findLostWrites, HistoryRecorder, OPEN_ENDED } from "../../../src/verification/index.ts";

describe("the recorder", () => {
  test("keeps the order of calls and answers, and leaves unknown ones open", () => {
    const recorder = new HistoryRecorder<string, number>();
    const first = recorder.invoke("c1", "k", "first");
    const second = recorder.invoke("c2", "k", "second");
    const third = recorder.invoke("c1", "k", "third");
    recorder.invoke("c3", "k", "never answered");
    second.returned(2);
    first.unknown();
    third.dropped();
    const common = { key: "k", output: undefined, returnedAt: OPEN_ENDED };
    expect(recorder.operations()).toEqual([
      { ...common, client: "c1", input: "first", calledAt: 0 },
      { ...common, client: "c2", input: "second", output: 2, calledAt: 1, returnedAt: 4 },
      { ...common, client: "c3", input: "never answered", calledAt: 3 },
    ]);
  });

  test("refuses a second answer", () => {
    const recorder = new HistoryRecorder<string, number>();
    const call = recorder.invoke("c", "k", "x");
    call.returned(1);
    expect(() => call.unknown()).toThrow(/twice/);
    expect(() => call.dropped()).toThrow(/twice/);
  });
});

describe("lost writes", () => {
  const order = (a: number, b: number): number => a - b;
  const acknowledged = [
    { key: "a", version: 1 },
    { key: "a", version: 3 },
    { key: "b", version: 2 },
  ];

  test("the same or a newer version is no loss", () => {
    const finals = new Map([
      ["a", 3],
      ["b", 9],
    ]);
    expect(findLostWrites(acknowledged, finals, order)).toEqual([]);
  });

  test("an older version is, and so is nothing", () => {
    const finals = new Map([
      ["a", 2],
      ["b", undefined],
    ]);
    expect(findLostWrites(acknowledged, finals, order)).toEqual([
      { key: "a", version: 3, found: 2 },
      { key: "b", version: 2, found: undefined },
    ]);
  });

  test("a key that nobody read at the end is a mistake of the test", () => {
    expect(() => findLostWrites(acknowledged, new Map([["a", 3]]), order)).toThrow(/"b"/);
  });
});
