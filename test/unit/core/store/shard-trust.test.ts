import { describe, expect, test } from "vitest";
import type { StorageIdentity } from "../../../../src/core/contracts/storage.ts";
import type { ShardId } from "../../../../src/core/model/ids.ts";
import type { NodeRecords } from "../../../../src/core/store/node-records.ts";
import { ShardTrust } from "../../../../src/core/store/shard-trust.ts";

const SHARD = 7 as unknown as ShardId;

function trustOf(records: Map<string, Uint8Array>): ShardTrust {
  const table = {
    get: (name: string) => records.get(name),
    names: (prefix: string) => [...records.keys()].filter((name) => name.startsWith(prefix)),
    put: (name: string, value: Uint8Array, done?: () => void) => {
      records.set(name, value);
      done?.();
    },
    delete: (name: string) => records.delete(name),
  };
  const identity = { kept: "memory", incarnation: 1 } as StorageIdentity;
  return new ShardTrust(table as unknown as NodeRecords, identity);
}

describe("a shard that is marked", () => {
  test("has counted nowhere from when it began with nothing until it serves, over restarts", () => {
    const records = new Map<string, Uint8Array>();
    const trust = trustOf(records);
    trust.markNew(SHARD);
    expect([trust.isMarked(SHARD), trust.isNew(SHARD)]).toEqual([true, true]);
    trust.mark(SHARD, () => undefined);
    expect(trustOf(records).isNew(SHARD)).toBe(true);
    trust.unmark(SHARD);
    trust.mark(SHARD);
    expect([trust.isMarked(SHARD), trust.isNew(SHARD)]).toEqual([true, false]);
  });

  test("may have counted if it was marked for what it lost", () => {
    const records = new Map<string, Uint8Array>();
    const trust = trustOf(records);
    trust.mark(SHARD);
    trust.markNew(SHARD);
    expect([trust.isMarked(SHARD), trustOf(records).isNew(SHARD)]).toEqual([true, false]);
  });
});
