import { expect, test } from "vitest";
import { firstTermBehind, groupOf } from "../../../../src/strategies/raft/group.ts";

test("every group has terms above all of the group before it", () => {
  let term = 7;
  for (let recoveries = 0; recoveries < 2_000; recoveries++) {
    const next = firstTermBehind(term, recoveries % 64, recoveries);
    expect(groupOf(next)).toBeGreaterThan(groupOf(term));
    expect(Number.isSafeInteger(next + 1)).toBe(true);
    // Elections, until that group is lost in its turn.
    term = next + 4_000_000_000;
    expect(groupOf(term)).toBe(groupOf(next));
  }
});

test("two that recover at the same time begin different groups", () => {
  const groups = Array.from({ length: 64 }, (_, rank) => groupOf(firstTermBehind(9, rank, 5)));
  expect(new Set(groups).size).toBe(64);
  // One that does so twice without hearing of the first time hardly begins the same.
  expect(groupOf(firstTermBehind(9, 1, 5))).not.toBe(groupOf(firstTermBehind(9, 1, 6)));
});

test("a shard that was never recovered is the group 0", () => {
  expect(groupOf(0)).toBe(0);
  expect(groupOf(2 ** 32 - 1)).toBe(0);
});
