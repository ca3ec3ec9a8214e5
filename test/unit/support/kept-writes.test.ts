import { expect, test } from "vitest";
import { KeptWrites } from "../../support/kept-writes.ts";

// The judge of the kill tests, on trial.

function judged(...lines: readonly string[]): string[] {
  const writes = new KeptWrites();
  for (const line of lines) writes.hear(line);
  return writes.judge();
}

test("an acknowledged write that is there is right", () => {
  expect(judged("ISSUED a 1", "ACKED a 1", "HELD a 1")).toEqual([]);
});

test("an acknowledged write that is missing is wrong, and so is an older one", () => {
  expect(judged("ISSUED a 1", "ACKED a 1")).toHaveLength(1);
  const older = ["ISSUED a 1", "ACKED a 1", "ISSUED a 2", "ACKED a 2", "HELD a 1"];
  expect(judged(...older)).toHaveLength(1);
});

test("a write that was begun may be there or not", () => {
  const begun = ["ISSUED a 1", "ACKED a 1", "ISSUED a 2"];
  expect(judged(...begun, "HELD a 1")).toEqual([]);
  expect(judged(...begun, "HELD a 2")).toEqual([]);
  expect(judged(...begun, "UNKNOWN a 2", "HELD a 2")).toEqual([]);
});

test("a write that was refused may not be there", () => {
  const refused = ["ISSUED a 1", "REFUSED a 1"];
  expect(judged(...refused)).toEqual([]);
  expect(judged(...refused, "HELD a 1")).toEqual(["a holds the refused 1"]);
});

test("what was lost in one crash may not come back after another", () => {
  const writes = new KeptWrites();
  for (const line of ["ISSUED a 1", "ACKED a 1", "ISSUED a 2", "HELD a 1"]) writes.hear(line);
  expect(writes.judge()).toEqual([]);
  writes.begin();
  writes.hear("HELD a 2");
  expect(writes.judge()).toHaveLength(1);
});

test("what nobody wrote is wrong", () => {
  expect(judged("HELD a 1")).toEqual(["a is there, and nobody wrote it"]);
});
