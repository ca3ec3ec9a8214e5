import { afterEach, expect, it } from "vitest";
import type { WatchEvent, WatchOptions } from "../../src/core/store/api.ts";
import { Cluster } from "../support/cluster.ts";

let cluster: Cluster;
afterEach(() => cluster.close());

function read(node: string, options?: WatchOptions) {
  const events: WatchEvent<unknown>[] = [];
  const iterator = cluster.keyspace(node).watch(options)[Symbol.asyncIterator]();
  const run = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return;
      events.push(value);
    }
  };
  void run().catch(() => undefined);
  const keys = () => events.filter(({ key }) => key !== undefined).map(({ key }) => key);
  return { events, keys, stop: () => iterator.return?.() };
}

const synced = (events: readonly WatchEvent<unknown>[]) =>
  events.some(({ type }) => type === "synced");

it("a watch of a raft keyspace goes on at any node, with every change once and no gap", async () => {
  cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft", shards: 4 } } });
  const put = (node: string, key: string) => cluster.until(cluster.keyspace(node).put(key, key));
  let cursor: string | undefined;
  const seen: (string | undefined)[] = [];
  const written: string[] = [];
  for (const [round, node] of ["n1", "n2", "n3", "n1"].entries()) {
    const reader = read(node, cursor === undefined ? {} : { cursor });
    await cluster.waitFor(() => synced(reader.events));
    for (let index = 0; index < 10; index++) {
      const key = `${round}-${index}`;
      await put("n2", key);
      written.push(key);
    }
    const expected = written.length - seen.length;
    await cluster.waitFor(() => reader.keys().length >= expected);
    expect(reader.events.filter(({ type }) => type === "gap")).toEqual([]);
    seen.push(...reader.keys());
    cursor = reader.events.at(-1)?.cursor;
    await reader.stop();
    // While nobody watches, too.
    await put("n3", `between-${round}`);
    written.push(`between-${round}`);
  }
  expect(seen.sort()).toEqual(written.slice(0, -1).sort());
});

it("a watch of a raft keyspace outlives its node's leader, without a gap", async () => {
  cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft", shards: 2 } } });
  const reader = read("n1");
  await cluster.waitFor(() => synced(reader.events));
  await cluster.until(cluster.keyspace("n1").put("before", 1));
  cluster.kill("n2");
  for (const key of ["a", "b", "c"]) {
    let done = false;
    while (!done) {
      done = await cluster.until(
        cluster
          .keyspace("n1")
          .put(key, 1, { timeoutMs: 2_000 })
          .then(
            () => true,
            () => false,
          ),
      );
    }
  }
  await cluster.waitFor(() => new Set(reader.keys()).size >= 4);
  expect(reader.events.filter(({ type }) => type === "gap")).toEqual([]);
});
