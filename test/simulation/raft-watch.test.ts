import { afterEach, describe, expect, it } from "vitest";
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
  let fault: unknown;
  void run().catch((error: unknown) => {
    fault = error;
  });
  const keys = () => events.filter(({ key }) => key !== undefined).map(({ key }) => key);
  return { events, keys, fault: () => fault, stop: () => iterator.return?.() };
}

/** Writes, as often as it takes. */
async function insist(node: string, key: string): Promise<void> {
  const put = () => cluster.keyspace(node).put(key, 1, { timeoutMs: 2_000 });
  const tryOnce = () =>
    put().then(
      () => true,
      () => false,
    );
  while (!(await cluster.until(tryOnce())));
}

interface Shard {
  readonly role?: string;
  readonly reads?: number;
}

const shardAt = (node: string): Shard =>
  (cluster.keyspace(node).describe().shards as readonly Shard[])[0] ?? {};

/** Leader and one of its followers of a shard. */
async function openLed() {
  cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft" } } });
  await insist("n1", "x");
  // Until all have applied it.
  await cluster.advance(1_000);
  const leader = cluster.ids.find((id) => shardAt(id).role === "leader") as string;
  const follower = cluster.ids.find((id) => id !== leader) as string;
  return { leader, follower };
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
  for (const key of ["a", "b", "c"]) await insist("n1", key);
  await cluster.waitFor(() => new Set(reader.keys()).size >= 4);
  expect(reader.events.filter(({ type }) => type === "gap")).toEqual([]);
});

describe("a watch that begins where its replica lacks what was acknowledged", () => {
  const types = (events: readonly WatchEvent<unknown>[]) =>
    events.map(({ type, key }) => (key === undefined ? type : key));

  const WATCHES = 30;

  /** What a watch is given, from synced on, that begins right behind a write which another node acknowledged. */
  async function givenSinceSynced(): Promise<(readonly string[])[]> {
    const given: (readonly string[])[] = [];
    for (let index = 0; index < WATCHES; index++) {
      const { ids } = cluster;
      const [writer, watcher] = [index, index + 1].map((at) => ids[at % ids.length] as string);
      await cluster.until(cluster.keyspace(writer as string).put(`before ${index}`, 1));
      const reader = read(watcher as string);
      await cluster.waitFor(() => synced(reader.events));
      await cluster.until(cluster.keyspace("n1").put(`after ${index}`, 1));
      await cluster.waitFor(() => reader.keys().includes(`after ${index}`));
      await reader.stop();
      const all = types(reader.events);
      given.push(all.slice(all.indexOf("synced")));
    }
    return given;
  }

  it("says synced only behind it, at a replica", async () => {
    cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft" } } });
    const expected = Array.from({ length: WATCHES }, (_, index) => ["synced", `after ${index}`]);
    expect(await givenSinceSynced()).toEqual(expected);
  });

  it("says synced only behind it, at a node that follows another one's replica", async () => {
    const keyspaces = { default: { strategy: "raft", replicas: 3, shards: 2 } };
    cluster = await Cluster.open({ nodes: 5, keyspaces });
    const expected = Array.from({ length: WATCHES }, (_, index) => ["synced", `after ${index}`]);
    expect(await givenSinceSynced()).toEqual(expected);
  });

  it.each(["fresh", "from a cursor"])(
    "goes on with what its node has while no leader can be asked, and then is in step, %s",
    async (kind) => {
      cluster = await Cluster.open({ keyspaces: { default: { strategy: "raft", shards: 4 } } });
      const first = read("n3");
      await cluster.waitFor(() => synced(first.events));
      await cluster.until(cluster.keyspace("n1").put("known", 1));
      await cluster.waitFor(() => first.keys().length > 0);
      const cursor = first.events.at(-1)?.cursor as string;
      await first.stop();
      // Until n3 has applied it, too.
      await cluster.advance(1_000);
      cluster.isolate("n3");
      for (const key of ["a", "b", "c", "d"]) await insist("n1", key);
      const reader = read("n3", kind === "fresh" ? {} : { cursor });
      const late = read("n3", { timeoutMs: 2_000 });
      await cluster.advance(10_000);
      expect(reader.events).toEqual([]);
      expect(late.fault()).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
      cluster.network.heal();
      await cluster.waitFor(() => synced(reader.events));
      const given = types(reader.events);
      expect(given.at(-1)).toBe("synced");
      expect([...given].sort()).toEqual(["a", "b", "c", "d", "synced"]);
    },
  );

  it("outlives the leader that it has asked", async () => {
    const { leader, follower } = await openLed();
    cluster.pause(leader);
    const reader = read(follower);
    await cluster.advance(20);
    expect(reader.events).toEqual([]);
    cluster.kill(leader, { silently: true });
    await cluster.waitFor(() => synced(reader.events));
    await insist(follower, "y");
    await cluster.waitFor(() => reader.keys().includes("y"));
    expect(types(reader.events)).toEqual(["synced", "y"]);
  });

  it("leaves nothing behind when it is closed before it is in step", async () => {
    const { leader, follower } = await openLed();
    cluster.pause(leader);
    const reader = read(follower);
    await cluster.advance(20);
    expect(shardAt(follower).reads).toBe(1);
    await reader.stop();
    await cluster.advance(1_000);
    cluster.resume(leader);
    await insist(follower, "y");
    expect(reader.events).toEqual([]);
    expect(shardAt(follower).reads).toBe(0);
  });
});
