import { expect, test } from "vitest";
import { RoundIds } from "../../../../src/strategies/leaderless/round-ids.ts";

const LAST = 0xffff_fffe;

test("the names of rounds rise from wherever the draw was", () => {
  const rounds = new RoundIds({ randomUint32: () => 41 });
  expect([rounds.next(), rounds.next()]).toEqual([42, 43]);
});

test("begin anew at one behind the last that 32 bits have, and none is zero", () => {
  const rounds = new RoundIds({ randomUint32: () => LAST - 1 });
  expect([rounds.next(), rounds.next(), rounds.next()]).toEqual([LAST, 1, 2]);
  expect(new RoundIds({ randomUint32: () => LAST + 1 }).next()).toBe(2);
});
