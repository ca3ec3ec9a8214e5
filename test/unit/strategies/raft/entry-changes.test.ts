import { expect, test } from "vitest";
import type { ShardChange } from "../../../../src/strategies/raft/apply.ts";
import { EntryChanges, LAST_OF_ENTRY } from "../../../../src/strategies/raft/entry-changes.ts";

function entryOf(keys: readonly string[]): readonly string[] {
  const told: string[] = [];
  const changes = new EntryChanges(({ key, index }, offset) => {
    told.push(`${Buffer.from(key)} ${index} ${offset === LAST_OF_ENTRY ? "last" : offset}`);
  });
  for (const [ordinal, key] of keys.entries()) {
    const change = { type: "delete", key: Buffer.from(key), index: 7, ordinal };
    changes.add(change as unknown as ShardChange);
  }
  changes.end();
  changes.end();
  return told;
}

test("the last change of an entry says that it is the last, the others where they stand", () => {
  expect(entryOf([])).toEqual([]);
  expect(entryOf(["a"])).toEqual(["a 7 last"]);
  expect(entryOf(["a", "b", "c"])).toEqual(["a 7 0", "b 7 1", "c 7 last"]);
});
