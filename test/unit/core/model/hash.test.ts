import { describe, expect, test } from "vitest";
import {
  hash32,
  hashPair,
  hashText,
  keyspaceHash,
  shardIndexForKey,
} from "../../../../src/core/model/hash.ts";
import { encodeKey } from "../../../../src/core/model/keys.ts";

const SHARDS = 64;
const shardOf = (key: string, groupBy: Parameters<typeof shardIndexForKey>[1]) =>
  shardIndexForKey(encodeKey(key), groupBy, SHARDS);

describe("hash32", () => {
  test.each([
    ["", 0, 0x00000000],
    ["", 1, 0x514e28b7],
    ["a", 0, 0x3c2569b2],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["hello", 0, 0x248bfa47],
    ["hello, world", 0, 0x149bbb7f],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
    ["ππππππππ", 0x9747b28c, 0xd58063c1],
  ])("of %j with seed %i is what it has always been", (text, seed, expected) => {
    expect(hashText(text, seed)).toBe(expected);
  });

  test("reads a view, not the buffer behind it", () => {
    const around = new TextEncoder().encode("xxhelloxx");
    expect(hash32(around.subarray(2, 7))).toBe(0x248bfa47);
  });
});

test("a pair is the hash under both seeds, of bytes of every length", () => {
  const bytes = Uint8Array.from({ length: 70 }, (_, at) => (at * 89 + 200) & 255);
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length);
    const pair = { high: 0x9e3779b9, low: 7 + length };
    hashPair(part, pair);
    expect(pair).toEqual({ high: hash32(part, 0x9e3779b9), low: hash32(part, 7 + length) });
  }
});

test("keyspace hashes are what they have always been, and never 0", () => {
  expect(keyspaceHash("default")).toBe(0x42c9679f);
  expect(keyspaceHash("")).toBe(1);
});

describe("a key's shard", () => {
  test("is what it has always been", () => {
    const shards = ["alice", "bob", "carol", "ключ"].map((key) => shardOf(key, "whole"));
    expect(shards).toEqual([29, 50, 52, 2]);
  });

  test("spreads numbered keys evenly", () => {
    const counts = new Array<number>(SHARDS).fill(0);
    for (let index = 0; index < 64_000; index++) {
      const shard = shardOf(`user:${index}`, "whole");
      counts[shard] = (counts[shard] as number) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });

  test("by tag follows what the first braces hold", () => {
    const alone = shardOf("alice", "whole");
    expect(shardOf("cart:{alice}", "tag")).toBe(alone);
    expect(shardOf("orders:{alice}:{bob}", "tag")).toBe(alone);
    expect(shardOf("{{alice}", "tag")).toBe(shardOf("{alice", "whole"));
  });

  test.each(["no tag", "empty{}tag{alice}", "open{alice", "}alice{"])(
    "by tag follows the whole of %j",
    (key) => {
      expect(shardOf(key, "tag")).toBe(shardOf(key, "whole"));
    },
  );

  test("by prefix follows what stands before the first separator", () => {
    const bySlash = { prefix: { separator: "/" } };
    expect(shardOf("alice/cart/1", bySlash)).toBe(shardOf("alice", "whole"));
    expect(shardOf("alice", bySlash)).toBe(shardOf("alice", "whole"));
    expect(shardOf("/alice", bySlash)).toBe(shardOf("/alice", "whole"));
    expect(shardOf("alice→cart", { prefix: { separator: "→" } })).toBe(shardOf("alice", "whole"));
  });
});
