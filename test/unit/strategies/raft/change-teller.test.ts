import { expect, test } from "vitest";
import type { MachineChange } from "../../../../src/core/contracts/machine-change.ts";
import type { ShardChange } from "../../../../src/strategies/raft/apply.ts";
import { emptyBooks } from "../../../../src/strategies/raft/books.ts";
import { ChangeTeller } from "../../../../src/strategies/raft/change-teller.ts";
import { LAST_OF_ENTRY } from "../../../../src/strategies/raft/entry-changes.ts";
import { decodeRevision } from "../../../../src/strategies/raft/version.ts";

const KEYSPACE_HASH = 5;
const LIFE_MARK = 0xabc;

function openTeller(salt: number) {
  const told: MachineChange[] = [];
  const machine = {
    books: { ...emptyBooks(), salt, appliedIndex: 6 },
    lifeMark: LIFE_MARK,
  };
  const effects = { change: (change: MachineChange) => void told.push(change) };
  return { teller: new ChangeTeller(KEYSPACE_HASH, machine, () => effects), told, machine };
}

test("a change is told with its version, where it stands in the order of the shard's life", () => {
  const { teller, told } = openTeller(1);
  const key = Buffer.from("a");
  const value = Buffer.from("v");
  teller.add({ type: "put", key, value, index: 7, ordinal: 0 });
  teller.add({ type: "delete", key, value: undefined, index: 7, ordinal: 1 } as ShardChange);
  teller.endEntry();
  const position = { order: "abc", sequence: 7 };
  expect(told).toMatchObject([
    { type: "put", key, value, position: { ...position, offset: 0 } },
    { type: "delete", key, position: { ...position, offset: LAST_OF_ENTRY } },
  ]);
  expect(told[1]).not.toHaveProperty("value");
  expect(told.map(({ version }) => decodeRevision(version as string))).toEqual([
    { keyspaceHash: KEYSPACE_HASH, lifeMark: LIFE_MARK, revision: 7 },
    { keyspaceHash: KEYSPACE_HASH, lifeMark: LIFE_MARK, revision: 7 },
  ]);
});

test("another life of the shard is another order", () => {
  const { teller, told, machine } = openTeller(1);
  for (const lifeMark of [LIFE_MARK, 0xdef, LIFE_MARK]) {
    machine.lifeMark = lifeMark;
    teller.add({ type: "delete", key: Buffer.from("a"), value: undefined, index: 7, ordinal: 0 });
    teller.endEntry();
  }
  expect(told.map(({ position }) => position?.order)).toEqual(["abc", "def", "abc"]);
});

test("a gap stands behind all of the entry at which the state was taken up", () => {
  const { teller, told } = openTeller(1);
  teller.gap();
  expect(teller.reached).toEqual({ order: "abc", sequence: 6 });
  const position = { order: "abc", sequence: 6, offset: LAST_OF_ENTRY };
  expect(told).toMatchObject([{ type: "gap", position }]);
});

test("a shard that has no life yet has no order in which a gap could stand", () => {
  const { teller, told } = openTeller(0);
  teller.gap();
  expect(told).toEqual([]);
  expect(teller.reached).toBeUndefined();
});
