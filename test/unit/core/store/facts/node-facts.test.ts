import { describe, expect, it } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { ConflictFact, ReplicationFact } from "../../../../../src/core/model/facts.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { encodeKey } from "../../../../../src/core/model/keys.ts";
import type { FactQuery } from "../../../../../src/core/store/api.ts";
import { NodeFacts } from "../../../../../src/core/store/facts/node-facts.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";

const nodes = (...ids: readonly string[]) => ids as readonly NodeId[];
const write = (key: string, ...to: readonly string[]): ReplicationFact => ({
  ...{ type: "replication", shardIndex: 3, writes: 1, operation: "put", key: encodeKey(key) },
  ...{ version: `v-${key}`, replicatedTo: nodes(...to) },
});
const conflict = (key: string, discarded = 0): ConflictFact => ({
  ...{ type: "conflict", shardIndex: 3, key: encodeKey(key), versions: ["a", "b"] },
  ...{ resolution: discarded > 0 ? "lww" : "siblings", discarded },
});

function bench() {
  const environment = new VirtualEnvironment();
  const events: object[] = [];
  const counts: unknown[] = [];
  const facts = new NodeFacts({
    ...{ node: "n1", keyspaces: ["a", "b"], environment },
    observer: {
      ...SILENT_OBSERVER,
      count: (name, by, labels) => void counts.push([name, by, labels]),
    },
    emit: (notice) => events.push(notice),
  });
  return { facts, environment, events, counts };
}

describe("the table of replications", () => {
  it("has a row for each write, the newest first", async () => {
    const { facts, environment } = bench();
    facts.record("a", write("k1", "n1", "n2"));
    environment.advance(5);
    facts.record("b", {
      ...{ type: "replication", shardIndex: 0, writes: 7, sequences: [11, 17] },
      replicatedTo: nodes("n1"),
    });
    const { rows, total } = await facts.replications();
    expect(total).toBe(2);
    const atMs = environment.wallMs();
    expect(rows).toEqual([
      {
        ...{ id: 2, atMs, keyspace: "b", shard: 0, writes: 7, sequences: [11, 17] },
        ...{ sourceNode: "n1", replicatedTo: ["n1"] },
      },
      {
        ...{ id: 1, atMs: atMs - 5, keyspace: "a", shard: 3, writes: 1, key: "k1" },
        ...{ keyHash: expect.stringMatching(/^[0-9a-f]{8}$/), operation: "put", version: "v-k1" },
        ...{ sourceNode: "n1", replicatedTo: ["n1", "n2"] },
      },
    ]);
  });

  it("keeps the latest, says how many there were, and is paged through", async () => {
    const { facts } = bench();
    for (let index = 1; index <= 5_000; index++) facts.record("a", write(`k${index}`));
    const { rows, total } = await facts.replications();
    expect([total, rows.length, rows[0]?.id, rows.at(-1)?.id]).toEqual([5_000, 100, 5_000, 4_901]);
    const older = await facts.replications({ before: 4_901, limit: 1_000 });
    expect(older.rows.map(({ id }) => id)).toEqual(
      Array.from({ length: 924 }, (_, index) => 4_900 - index),
    );
    expect(older.rows[0]?.key).toBe("k4900");
    expect((await facts.replications({ before: 3_977 })).rows).toEqual([]);
  });

  it("is asked by keyspace and by key", async () => {
    const { facts } = bench();
    for (const keyspace of ["a", "b", "a"]) facts.record(keyspace, write("k"));
    facts.record("a", write("other"));
    const ids = async (query: FactQuery) =>
      (await facts.replications(query)).rows.map(({ id }) => id);
    expect(await ids({ keyspace: "a" })).toEqual([4, 3, 1]);
    expect(await ids({ key: "k" })).toEqual([3, 2, 1]);
    expect(await ids({ keyspace: "b", key: "k", limit: 1 })).toEqual([2]);
    expect(await ids({ key: "unheard of" })).toEqual([]);
  });

  it("refuses questions that make no sense", async () => {
    const { facts } = bench();
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ keyspace: "c" }, "UNKNOWN_KEYSPACE", /there are: a, b/],
      [{ limit: 0 }, "INVALID_ARGUMENT", /limit .* 1 to 1000, not 0/],
      [{ limit: 1_001 }, "INVALID_ARGUMENT", /limit/],
      [{ before: 1.5 }, "INVALID_ARGUMENT", /before .* not 1.5/],
      [{ keyspce: "a" }, "INVALID_ARGUMENT", /keyspace, key, before, limit/],
      [{ key: "" }, "INVALID_KEY", /empty/],
    ];
    for (const [query, code, message] of wrong) {
      for (const ask of [facts.replications(query), facts.conflicts(query)]) {
        await expect(ask).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      }
    }
  });
});

describe("the table of conflicts", () => {
  it("has a row for each, and counters of what was discarded", async () => {
    const { facts, counts } = bench();
    facts.record("a", conflict("k"));
    facts.record("a", { ...conflict("k", 2), resolvedVersion: "b" });
    const { rows } = await facts.conflicts({ keyspace: "a" });
    expect(rows[0]).toMatchObject({
      ...{ key: "k", versions: ["a", "b"], resolution: "lww", resolvedVersion: "b" },
      ...{ discarded: 2, node: "n1" },
    });
    expect(rows[1]).not.toHaveProperty("resolvedVersion");
    expect(counts).toEqual([
      ["capstan_conflicts", 1, { keyspace: "a", resolution: "siblings" }],
      ["capstan_conflicts", 1, { keyspace: "a", resolution: "lww" }],
      ["capstan_writes_discarded", 2, { keyspace: "a" }],
    ]);
    expect((await facts.replications()).total).toBe(0);
  });
});

describe("facts as events", () => {
  it("sum replication up, a second at a time", () => {
    const { facts, environment, events } = bench();
    for (let index = 0; index < 50; index++) facts.record("a", write("k", "n1", "n2"));
    facts.record("a", write("k", "n1"));
    expect(events).toEqual([]);
    environment.advance(1_000);
    facts.record("a", write("k", "n1"));
    const copies = { n1: 51, n2: 50 };
    expect(events).toEqual([{ type: "replicated", keyspace: "a", writes: 51, copies }]);
  });

  it("sum up lists that are made anew each time, too", () => {
    const { facts, environment, events } = bench();
    for (let index = 0; index < 5_000; index++) facts.record("a", write("k", "n1", "n2"));
    environment.advance(1_000);
    facts.record("a", write("k", "n1"));
    expect(events).toMatchObject([{ writes: 5_000, copies: { n1: 5_000, n2: 5_000 } }]);
  });

  it("tell of conflicts, up to a bound, and then of how many were left out", () => {
    const { facts, environment, events } = bench();
    for (let index = 0; index < 20; index++) facts.record("a", conflict(`k${index}`));
    expect(events).toHaveLength(16);
    expect(events[0]).toEqual({
      ...{ type: "conflict", keyspace: "a", shard: 3, key: "k0", versions: ["a", "b"] },
      ...{ resolution: "siblings", discarded: 0 },
    });
    facts.record("b", conflict("k"));
    expect(events).toHaveLength(17);
    environment.advance(1_000);
    facts.record("a", conflict("late"));
    expect(events.at(-1)).toMatchObject({ key: "late", suppressed: 4 });
  });
});
