import { expect, test } from "vitest";
import { encodeKey } from "../../../../src/core/model/keys.ts";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { acrossShards } from "../../../../src/core/store/across-shards.ts";

const member = (key: string, shardIndex: number) =>
  ({ key: encodeKey(key), shardIndex }) as unknown as Operation;

test("the fault names the keys of each shard", () => {
  const fault = acrossShards([member("a", 2), member("é/b", 0), member("c", 2)]);
  expect(fault).toMatchObject({
    code: "INVALID_ARGUMENT",
    outcome: "not-applied",
    message:
      'the keys of a batch lie in more than one shard (shard 0: "é/b"; shard 2: "a", "c"); ' +
      "groupBy puts keys together",
    details: { shards: { 0: ["é/b"], 2: ["a", "c"] } },
  });
});

test("a long batch has all of its keys in the details, and a few in the message", () => {
  const members = Array.from({ length: 4_096 }, (_, at) => member(`key-${at}`, at % 8));
  const { message, details } = acrossShards(members);
  expect(message).toBe(
    "the keys of a batch lie in more than one shard (" +
      'shard 0: "key-0", "key-8", "key-16", 509 more; shard 1: "key-1", "key-9", "key-17", 509 more; ' +
      'shard 2: "key-2", "key-10", "key-18", 509 more; shard 3: "key-3", "key-11", "key-19", 509 more; ' +
      "4 more); groupBy puts keys together",
  );
  const { shards } = details as { readonly shards: Record<string, string[]> };
  expect(Object.values(shards).flat()).toHaveLength(4_096);
  expect(shards[7]?.[511]).toBe("key-4095");
});
