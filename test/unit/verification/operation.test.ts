import { describe, expect, test } from "vitest";
import {
  atLevel,
  checkLinearizable,
  keysOf,
  OPEN_ENDED,
  registerModel,
  writesOf,
} from "../../../src/verification/index.ts";
import { settleUnknowns } from "../../../src/verification/settle-unknowns.ts";
import { batch, read, write } from "./histories.ts";

test("an operation names its keys and what it writes to them", () => {
  const writes = [
    { key: "a", value: 1 },
    { key: "b", value: undefined },
  ];
  const all = [read("x", 0, 1), write("x", 0, 1), write(undefined, 0, 1), batch(writes, 0, 1)];
  expect(all.map(({ input }) => keysOf(input))).toEqual([["k"], ["k"], ["k"], ["a", "b"]]);
  expect(all.map(({ input }) => writesOf(input))).toEqual([
    [],
    [{ key: "k", value: "x" }],
    [{ key: "k", value: undefined }],
    writes,
  ]);
});

describe("the part of a history that one level answers for", () => {
  const strong = { level: "strong" };

  test("has its own operations, and others' writes without an end", () => {
    const [own, weakRead, weakWrite, refused] = [
      { ...write("a", 0, 1), ...strong },
      { ...read("a", 2, 3), level: "one" },
      { ...write("b", 4, 5), level: "one" },
      { ...write("c", 6, 7), level: "one", outcome: "not-applied" as const },
    ];
    expect(atLevel([own, weakRead, weakWrite, refused], "strong")).toEqual([
      own,
      { ...weakWrite, outcome: "unknown", returnedAt: OPEN_ENDED },
      refused,
    ]);
  });

  test("counts what was reached, not what was asked", () => {
    const lowered = { ...read("a", 0, 1), level: "quorum", achieved: "one" };
    expect(atLevel([lowered], "quorum")).toEqual([]);
    expect(atLevel([lowered], "one")).toEqual([lowered]);
  });

  test("makes no demand on a weak write that nobody sees, nor on a stale weak read", () => {
    const history = [
      { ...write("a", 0, 1), ...strong },
      { ...write("b", 2, 3), level: "one" },
      { ...read(undefined, 4, 5), level: "one" },
      { ...read("a", 6, 7), ...strong },
    ];
    expect(checkLinearizable(registerModel, history).verdict).toBe("illegal");
    expect(checkLinearizable(registerModel, atLevel(history, "strong")).verdict).toBe("legal");
  });
});

describe("settling of unknown operations", () => {
  const open = write("a", 0, OPEN_ENDED);

  test("ends a write at the first read of what it alone wrote", () => {
    const [late, early] = [read("a", 4, 5), read("a", 2, 3)];
    expect(settleUnknowns([open, late, early])).toEqual([{ ...open, returnedAt: 3 }, late, early]);
  });

  test("ends a write at its call if its value was found before: that stays illegal", () => {
    const [late, early, later] = [write("a", 9, OPEN_ENDED), read("a", 0, 1), read("a", 10, 11)];
    expect(settleUnknowns([late, early, later])[0]).toEqual({ ...late, returnedAt: 9 });
  });

  test("leaves a write open whose value was written twice", () => {
    const history = [open, write("a", 1, 2), read("a", 4, 5)];
    expect(settleUnknowns(history)).toEqual(history);
  });

  test("leaves out a write that no read found, or only before it was called", () => {
    const late = write("b", 10, OPEN_ENDED);
    const earlier = read("b", 0, 1);
    expect(settleUnknowns([open, late, earlier, read("c", 2, 3)])).toEqual([
      earlier,
      read("c", 2, 3),
    ]);
  });

  test("keeps a deletion only where somebody found nothing since", () => {
    const deleted = write(undefined, 2, OPEN_ENDED);
    const [before, since] = [read(undefined, 0, 1), read(undefined, 4, 5)];
    expect(settleUnknowns([deleted, before])).toEqual([before]);
    expect(settleUnknowns([deleted, since])).toEqual([deleted, since]);
  });

  test("ends a batch at the first read of any of its values", () => {
    const writes = [
      { key: "a", value: 1 },
      { key: "b", value: 2 },
    ];
    const [tied, seen] = [batch(writes, 0, OPEN_ENDED), read(2, 3, 4, "b")];
    expect(settleUnknowns([tied, seen])).toEqual([{ ...tied, returnedAt: 4 }, seen]);
  });

  test("counts what is found among siblings", () => {
    const seen = { ...read("a", 2, 3), output: { siblings: ["a", "z"] } };
    expect(settleUnknowns([open, seen])).toEqual([{ ...open, returnedAt: 3 }, seen]);
  });
});
