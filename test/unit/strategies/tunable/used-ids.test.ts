import { expect, test } from "vitest";
import { UsedIds } from "../../../../src/strategies/tunable/used-ids.ts";

const MAX_REMEMBERED = 4_096;

function keyOf(at: number): Uint8Array {
  return Buffer.from(`key-${at}`);
}

function remembering(count: number): UsedIds {
  const ids = new UsedIds();
  for (let at = 0; at < count; at++) ids.remember(`id-${at}`, keyOf(at), at);
  return ids;
}

test("an id is found with the key and the shard that it was used for last", () => {
  const ids = remembering(2);
  ids.remember("id-0", keyOf(7), 3);
  expect(ids.find("id-0")).toEqual({ key: keyOf(7), shardIndex: 3 });
  expect(ids.find("id-1")).toEqual({ key: keyOf(1), shardIndex: 1 });
  expect(ids.find("another")).toBeUndefined();
});

test("as many are remembered as there is room for, and the oldest is forgotten first", () => {
  const ids = remembering(MAX_REMEMBERED);
  expect(ids.find("id-0")).toBeDefined();
  ids.remember("new", keyOf(0), 0);
  expect(ids.find("id-0")).toBeUndefined();
  expect(ids.find("id-1")).toBeDefined();
  expect(ids.find("new")).toBeDefined();
});

test("one that is used again is among the youngest", () => {
  const ids = remembering(MAX_REMEMBERED);
  ids.remember("id-0", keyOf(0), 0);
  ids.remember("new", keyOf(0), 0);
  expect(ids.find("id-0")).toBeDefined();
  expect(ids.find("id-1")).toBeUndefined();
});
