import { describe, expect, it } from "vitest";
import type { ScanOptions } from "../../../../src/core/store/api.ts";
import { EVERYTHING, openBench } from "./fake-engine.ts";

type Bench = ReturnType<typeof openBench>;

async function filled(keys: readonly string[], scanPage = 2): Promise<Bench> {
  const bench = openBench(EVERYTHING, { scanPage });
  for (const key of keys) await bench.keyspace.put(key, key.toUpperCase());
  return bench;
}

async function keysOf(bench: Bench, options?: ScanOptions): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bench.keyspace.scan(options)) keys.push(key);
  return keys;
}

const KEYS = ["a", "ab", "abc", "b", "ba", "é", "z"];

describe("scan", () => {
  it("gives all entries in the order of their bytes, over pages", async () => {
    const bench = await filled([...KEYS].reverse());
    expect(await keysOf(bench)).toEqual(["a", "ab", "abc", "b", "ba", "z", "é"]);
    expect(bench.engine.scans).toHaveLength(4);
    const [first] = await toArray(bench.keyspace.scan({ limit: 1 }));
    expect(first).toMatchObject({ key: "a", value: "A", version: expect.any(String) });
  });

  it.each<[string, ScanOptions, string[]]>([
    ["prefix", { prefix: "a" }, ["a", "ab", "abc"]],
    ["an empty prefix", { prefix: "" }, ["a", "ab", "abc", "b", "ba", "z", "é"]],
    ["from, inclusive", { from: "b" }, ["b", "ba", "z", "é"]],
    ["to, exclusive", { to: "b" }, ["a", "ab", "abc"]],
    ["prefix and from", { prefix: "a", from: "ab" }, ["ab", "abc"]],
    ["prefix and to", { prefix: "a", to: "abc" }, ["a", "ab"]],
    ["a range of nothing", { from: "z", to: "a" }, []],
    ["limit", { limit: 3 }, ["a", "ab", "abc"]],
    ["a limit above all", { limit: 100 }, ["a", "ab", "abc", "b", "ba", "z", "é"]],
  ])("keeps to %s", async (_what, options, expected) => {
    expect(await keysOf(await filled(KEYS), options)).toEqual(expected);
  });

  it("goes on behind the entry whose cursor it is given", async () => {
    const bench = await filled(KEYS);
    const [, second] = await toArray(bench.keyspace.scan({ limit: 2 }));
    expect(await keysOf(bench, { cursor: second?.cursor as string, limit: 2 })).toEqual([
      "abc",
      "b",
    ]);
    expect(await keysOf(bench, { cursor: second?.cursor as string, prefix: "a" })).toEqual(["abc"]);
  });

  it("refuses a cursor of another keyspace, a damaged one, and one that is none", async () => {
    const bench = await filled(KEYS);
    const [entry] = await toArray(bench.keyspace.scan({ limit: 1 }));
    const cursor = entry?.cursor as string;
    const other = openBench(EVERYTHING, { name: "others", hash: 5 });
    await expect(keysOf(other, { cursor })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
    const flipped = cursor.slice(0, -1) + (cursor.endsWith("A") ? "B" : "A");
    for (const bad of [flipped, "", "?", "x".repeat(5_000), `${cursor}A`]) {
      await expect(keysOf(bench, { cursor: bad })).rejects.toMatchObject({
        code: "INVALID_CURSOR",
      });
    }
  });

  it.each<[string, ScanOptions, string]>([
    ["a level that scans do not have", { consistency: "strong" }, "INVALID_LEVEL"],
    ["a limit of nothing", { limit: 0 }, "INVALID_ARGUMENT"],
    ["a limit that is no number", { limit: "5" as never }, "INVALID_ARGUMENT"],
    ["an unknown option", { perfix: "a" } as never, "INVALID_ARGUMENT"],
    ["a prefix too long", { prefix: "x".repeat(1_025) }, "INVALID_KEY"],
    ["an empty from", { from: "" }, "INVALID_KEY"],
  ])("refuses %s, when the first entry is asked for", async (_what, options, code) => {
    const bench = await filled(KEYS);
    await expect(keysOf(bench, options)).rejects.toMatchObject({ code });
    expect(bench.engine.scans).toHaveLength(0);
  });

  it("has no default level where reads are stronger than scans can be", async () => {
    const bench = openBench({ ...EVERYTHING, scanLevels: ["one"] });
    await expect(keysOf(bench)).rejects.toMatchObject({ code: "INVALID_LEVEL", allowed: ["one"] });
    expect(await keysOf(bench, { consistency: "one" })).toEqual([]);
  });

  it("can be iterated over again", async () => {
    const bench = await filled(["a", "b"]);
    const scan = bench.keyspace.scan();
    expect(await toArray(scan)).toHaveLength(2);
    await bench.keyspace.put("c", 1);
    expect(await toArray(scan)).toHaveLength(3);
  });

  it("reads no further than it is asked for", async () => {
    const bench = await filled(KEYS);
    for await (const { key } of bench.keyspace.scan()) if (key === "ab") break;
    expect(bench.engine.scans).toHaveLength(1);
  });

  it("cancels the page under way when the reader goes", async () => {
    const bench = await filled(KEYS);
    bench.engine.holdScans = true;
    const iterator = bench.keyspace.scan()[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
  });

  it("ends with what the engine makes of an abort", async () => {
    const bench = await filled(KEYS);
    bench.engine.holdScans = true;
    const controller = new AbortController();
    const pending = bench.keyspace
      .scan({ signal: controller.signal })
      [Symbol.asyncIterator]()
      .next();
    await Promise.resolve();
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("stops with the store between two pages", async () => {
    const bench = await filled(KEYS);
    const iterator = bench.keyspace.scan()[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    bench.lifecycle.advance("draining");
    await expect(iterator.next()).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  it("gives each page the deadline that the call asked for", async () => {
    const bench = await filled(KEYS);
    await keysOf(bench, { timeoutMs: 40 });
    expect(bench.engine.scans.every(({ deadlineMs }) => deadlineMs === 40)).toBe(true);
  });
});

async function toArray<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
