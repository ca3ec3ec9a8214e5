import { afterEach, describe, expect, it } from "vitest";
import type { WatchEvent, WatchOptions } from "../../src/core/store/api.ts";
import { Cluster, type ClusterOptions } from "../support/cluster.ts";

let cluster: Cluster;
afterEach(() => cluster.close());

/** Four nodes, two copies: every node holds about half of the shards, and watches all of them. */
async function open(options: ClusterOptions = {}): Promise<Cluster> {
  cluster = await Cluster.open({
    nodes: 4,
    keyspaces: { default: { shards: 16, replicas: 2, write: "all", read: "one" } },
    ...options,
  });
  return cluster;
}

/** Everything that a watch gives, as it comes. */
class Reader {
  readonly events: WatchEvent<unknown>[] = [];
  ended: unknown;
  readonly #iterator: AsyncIterator<WatchEvent<unknown>>;

  constructor(node: string, options?: WatchOptions) {
    this.#iterator = cluster.keyspace(node).watch(options)[Symbol.asyncIterator]();
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#iterator.next();
        if (done === true) break;
        this.events.push(value);
      }
      this.ended = "ended";
    } catch (error) {
      this.ended = error;
    }
  }

  stop(): Promise<unknown> {
    return this.#iterator.return?.() as Promise<unknown>;
  }

  synced(): Promise<void> {
    return cluster.waitFor(() => this.of("synced").length > 0);
  }

  of(...types: readonly string[]): readonly WatchEvent<unknown>[] {
    return this.events.filter(({ type }) => types.includes(type));
  }

  get keys(): readonly (string | undefined)[] {
    return this.of("put", "delete").map(({ key }) => key);
  }

  get cursor(): string {
    return this.events.at(-1)?.cursor as string;
  }
}

async function write(node: string, ...keys: readonly string[]): Promise<void> {
  const keyspace = cluster.keyspace(node);
  for (const key of keys) await cluster.until(keyspace.put(key, `value of ${key}`));
}

const names = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `key-${from + index}`);

describe("a watch of a keyspace whose shards lie on several nodes", () => {
  it("says synced over an empty set, and then gives every change, whoever holds its shard", async () => {
    await open();
    const readers = cluster.ids.map((id) => new Reader(id));
    for (const reader of readers) await reader.synced();
    await write("n1", ...names(0, 40));
    await cluster.until(cluster.keyspace("n2").delete("key-3"));
    for (const reader of readers) {
      await cluster.waitFor(() => reader.keys.length >= 41);
      expect([...reader.keys].sort()).toEqual([...names(0, 40), "key-3"].sort());
      expect(reader.of("gap")).toEqual([]);
      const deleted = reader.of("delete")[0];
      expect(deleted).toMatchObject({ key: "key-3", version: expect.any(String) });
    }
  });

  it("keeps the order of each key, and gives only what begins with the prefix", async () => {
    await open();
    const reader = new Reader("n3", { prefix: "key-1" });
    await reader.synced();
    for (let value = 0; value < 30; value++) {
      for (const key of ["key-1", "key-11", "key-2"]) {
        await cluster.until(cluster.keyspace("n1").put(key, value));
      }
    }
    await cluster.waitFor(() => reader.of("put").length >= 60);
    for (const key of ["key-1", "key-11"]) {
      const values = reader.of("put").filter((event) => event.key === key);
      expect(values.map(({ value }) => value)).toEqual(Array.from({ length: 30 }, (_, v) => v));
    }
    expect(reader.keys).not.toContain("key-2");
  });

  it("goes on from a cursor at the same node, without a gap, with what came in between", async () => {
    await open();
    const first = new Reader("n4");
    await first.synced();
    await write("n1", ...names(0, 20));
    await cluster.waitFor(() => first.keys.length >= 20);
    await first.stop();
    await write("n2", ...names(20, 20));

    const second = new Reader("n4", { cursor: first.cursor });
    await second.synced();
    expect([...second.keys].sort()).toEqual(names(20, 20).sort());
    expect(second.of("gap")).toEqual([]);
    // What had happened before it began comes before `synced`.
    expect(second.events.at(-1)?.type).toBe("synced");
  });

  it("resumes at another node where the same replicas tell it, and says what it cannot tell", async () => {
    await open();
    const first = new Reader("n1");
    await first.synced();
    await write("n1", ...names(0, 20));
    await cluster.waitFor(() => first.keys.length >= 20);
    await first.stop();
    await write("n1", ...names(20, 20));
    const second = new Reader("n2", { cursor: first.cursor });
    await second.synced();
    expect([...second.keys].sort()).toEqual(names(20, 20).sort());
    expect(second.of("gap")).toEqual([]);
  });

  it("tells a gap for each shard whose teller is gone, and goes on with another replica", async () => {
    await open();
    const reader = new Reader("n1");
    await reader.synced();
    await write("n1", ...names(0, 20));
    await cluster.waitFor(() => reader.keys.length >= 20);
    cluster.kill("n4");
    await cluster.waitFor(() => reader.of("gap").length > 0);
    for (const gap of reader.of("gap")) expect(gap.reason).toContain("another replica");

    const put = (key: string) =>
      cluster.until(cluster.keyspace("n1").put(key, 1, { consistency: "one" }));
    await cluster.advance(3_000);
    for (const key of names(20, 20)) await put(key);
    await cluster.waitFor(() => reader.keys.length >= 40);
    expect([...reader.keys].sort()).toEqual(names(0, 40).sort());
  });

  it("begins with gaps after all nodes were started anew, instead of missing anything", async () => {
    await open();
    const first = new Reader("n1");
    await first.synced();
    const { cursor } = first;
    for (const id of cluster.ids) cluster.kill(id);
    await cluster.until(Promise.all(cluster.ids.map((id) => cluster.restart(id))));
    await cluster.ready();
    const second = new Reader("n1", { cursor });
    await second.synced();
    expect(second.of("gap")).toHaveLength(16);
  });

  it("is complete, or has a gap, over a network that loses, doubles and delays", async () => {
    await open({ seed: 5, faults: { loss: 0.1, doubling: 0.1, delayMs: [0, 20] } });
    const reader = new Reader("n2");
    await reader.synced();
    const keyspace = cluster.keyspace("n1");
    const written: string[] = [];
    for (const key of names(0, 60)) {
      await cluster.until(
        keyspace.put(key, 1, { timeoutMs: 5_000 }).then(
          () => written.push(key),
          () => undefined,
        ),
      );
    }
    await cluster.waitFor(
      () => reader.of("gap").length > 0 || written.every((key) => reader.keys.includes(key)),
    );
    expect(written.length).toBeGreaterThan(30);
  });

  it("gives the versions of a dynamo keyspace that stand apart, and what settles them", async () => {
    cluster = await Cluster.open({
      keyspaces: { default: { strategy: "dynamo", resolver: "version-vector" } },
    });
    const reader = new Reader("n3");
    await reader.synced();
    const writes = ["n1", "n2"].map((id) => cluster.keyspace(id).put("k", id));
    await cluster.until(Promise.all(writes));
    await cluster.waitFor(() => reader.of("conflict").length > 0);
    const [conflict] = reader.of("conflict");
    expect([...(conflict?.siblings ?? [])].sort()).toEqual(["n1", "n2"]);
    const { version } = await cluster.until(cluster.keyspace("n3").get("k"));
    await cluster.until(
      cluster.keyspace("n3").put("k", "both", { context: version as string, consistency: "all" }),
    );
    await cluster.waitFor(() => reader.of("put").some(({ value }) => value === "both"));
    expect(reader.of("gap")).toEqual([]);
  });

  it("refuses a cursor of another keyspace", async () => {
    await open();
    const reader = new Reader("n1", { cursor: "nonsense" });
    await cluster.advance(1);
    expect(reader.ended).toMatchObject({ code: "INVALID_CURSOR" });
  });

  it("ends when its node is closed", async () => {
    await open();
    const reader = new Reader("n1");
    await reader.synced();
    await cluster.stop("n1");
    expect(reader.ended).toBe("ended");
  });
});
