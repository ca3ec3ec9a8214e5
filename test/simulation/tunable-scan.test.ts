import { describe, expect, test } from "vitest";
import { compareBytes } from "../../src/core/model/keys.ts";
import type { EmbeddedKeyspace, ScanEntryResult, ScanOptions } from "../../src/core/store/api.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

async function collect(
  keyspace: EmbeddedKeyspace,
  options: ScanOptions = {},
): Promise<ScanEntryResult<unknown>[]> {
  const entries: ScanEntryResult<unknown>[] = [];
  for await (const entry of keyspace.scan(options)) entries.push(entry);
  return entries;
}

async function scan(cluster: Cluster, id: string, options: ScanOptions = {}) {
  return cluster.until(collect(cluster.keyspace(id), options));
}

function inByteOrder(keys: readonly string[]): readonly string[] {
  return [...keys].sort((a, b) => compareBytes(Buffer.from(a), Buffer.from(b)));
}

function keysOf(entries: readonly ScanEntryResult<unknown>[]): readonly string[] {
  return entries.map(({ key }) => key);
}

const KEYS = [
  ...Array.from({ length: 150 }, (_, n) => `key-${n}`),
  ...["a", "a\0", "aa", "ab", "b", "~", "é", "ｚ", "𐀀", "__proto__", "."],
];

/** 161 keys over 8 shards, in pages of at most 20. */
async function openFull(): Promise<Cluster> {
  const cluster = await open({
    keyspaces: { default: { shards: 8 } },
    configuration: { limits: { scanPage: 20 } },
  });
  const entries = KEYS.map((key) => [key, `value of ${key}`] as const);
  await cluster.until(cluster.keyspace("n1").putMany(entries, { consistency: "all" }));
  return cluster;
}

describe("scan", () => {
  test.each(["one", "quorum", "all"] as const)(
    "at %s: all keys of all shards, in the order of their bytes, once",
    async (consistency) => {
      const cluster = await openFull();
      for (const id of cluster.ids) {
        const entries = await scan(cluster, id, { consistency });
        expect(keysOf(entries)).toEqual(inByteOrder(KEYS));
        expect(entries.every(({ key, value }) => value === `value of ${key}`)).toBe(true);
      }
    },
  );

  test("limits, ranges and prefixes", async () => {
    const cluster = await openFull();
    const sorted = inByteOrder(KEYS);
    for (const limit of [1, 19, 20, 21, 160, 161, 500]) {
      const entries = await scan(cluster, "n1", { limit });
      expect(keysOf(entries)).toEqual(sorted.slice(0, limit));
    }
    const tens = await scan(cluster, "n2", { prefix: "key-1" });
    expect(keysOf(tens)).toEqual(sorted.filter((key) => key.startsWith("key-1")));
    const between = await scan(cluster, "n3", { from: "key-3", to: "key-5" });
    expect(keysOf(between)).toEqual(sorted.filter((key) => key >= "key-3" && key < "key-5"));
    expect(await scan(cluster, "n1", { prefix: "nothing" })).toEqual([]);
    expect(await scan(cluster, "n1", { from: "b", to: "b" })).toEqual([]);
  });

  test("goes on behind any entry's cursor, at another node too", async () => {
    const cluster = await openFull();
    const sorted = inByteOrder(KEYS);
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let part = 0; ; part++) {
      const id = cluster.ids[part % 3] as string;
      const options = cursor === undefined ? { limit: 7 } : { limit: 7, cursor };
      const entries = await scan(cluster, id, options);
      if (entries.length === 0) break;
      seen.push(...keysOf(entries));
      cursor = entries.at(-1)?.cursor;
    }
    expect(seen).toEqual(sorted);
    const damaged = collect(cluster.keyspace("n1"), { cursor: `${cursor}x` });
    expect((await faultOf(cluster, damaged)).code).toBe("INVALID_CURSOR");
  });

  test("leaves out what was deleted, pages full of tombstones too", async () => {
    const cluster = await openFull();
    const sorted = inByteOrder(KEYS);
    const deleted = sorted.slice(5, 130);
    for (const key of deleted) {
      await cluster.until(cluster.keyspace("n2").delete(key, { consistency: "quorum" }));
    }
    const left = sorted.filter((key) => !deleted.includes(key));
    expect(keysOf(await scan(cluster, "n3", { consistency: "quorum" }))).toEqual(left);
    expect(keysOf(await scan(cluster, "n1", { consistency: "quorum", limit: 8 }))).toEqual(
      left.slice(0, 8),
    );
  });

  test("a node cut off: what it missed is there, what it alone deleted is not", async () => {
    const cluster = await openFull();
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.waitUntilReachable("n3", []);
    await cluster.until(cluster.keyspace("n1").put("key-0", "newer"));
    await cluster.until(cluster.keyspace("n1").delete("key-1"));
    await cluster.until(cluster.keyspace("n1").put("new", "new"));
    const expected = inByteOrder([...KEYS.filter((key) => key !== "key-1"), "new"]);
    const meanwhile = await scan(cluster, "n2", { consistency: "quorum" });
    expect(keysOf(meanwhile)).toEqual(expected);
    const all = collect(cluster.keyspace("n1"), { consistency: "all" });
    expect((await faultOf(cluster, all)).code).toBe("UNAVAILABLE");
    const alone = collect(cluster.keyspace("n3"), { consistency: "quorum" });
    expect((await faultOf(cluster, alone)).code).toBe("UNAVAILABLE");
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    // The replica that missed it all takes part.
    const entries = await scan(cluster, "n3", { consistency: "quorum" });
    expect(keysOf(entries)).toEqual(expected);
    expect(entries.find(({ key }) => key === "key-0")?.value).toBe("newer");
  });

  test("frames are lost: the others are asked before the deadline", async () => {
    const cluster = await openFull();
    cluster.network.faults = { loss: 0.15, delayMs: [0.2, 3], lanes: ["log"] };
    let complete = 0;
    for (let round = 0; round < 10; round++) {
      const scanning = collect(cluster.keyspace("n1"), { consistency: "quorum", timeoutMs: 2_000 });
      const entries = await cluster.until(scanning.catch(() => undefined));
      if (entries === undefined) continue;
      complete++;
      expect(keysOf(entries)).toEqual(inByteOrder(KEYS));
    }
    expect(complete).toBeGreaterThan(0);
  });

  test("strong is not offered, and said so", async () => {
    const cluster = await open();
    const fault = await faultOf(
      cluster,
      collect(cluster.keyspace("n1"), { consistency: "strong" }),
    );
    expect([fault.code, fault.outcome]).toEqual(["INVALID_LEVEL", "not-applied"]);
    expect(fault.allowed).not.toContain("strong");
  });
});
