import { describe, expect, test } from "vitest";
import { keyspaceHash } from "../../src/core/model/hash.ts";
import { CausalContext, CONTEXT_ENTRY_BYTES } from "../../src/strategies/dynamo/causal-context.ts";
import { ContextTokens, MAX_CONTEXT_BYTES } from "../../src/strategies/dynamo/context-token.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const KEYSPACES = {
  notes: { strategy: "dynamo", shards: 1 },
  latest: { strategy: "dynamo", shards: 1, resolver: "lww" },
  carts: { strategy: "dynamo", shards: 1, resolver: "or-set" },
  counters: { strategy: "dynamo", shards: 1, resolver: "pn-counter" },
  lists: { strategy: "dynamo", shards: 1, resolver: "union" },
} as const;

const openAll = (nodes = 3): Promise<Cluster> => open({ nodes, keyspaces: KEYSPACES });

/** What all replicas together hold, in order. */
async function siblingsOf(cluster: Cluster, key: string): Promise<readonly unknown[]> {
  const read = await cluster.until(
    cluster.keyspace("n2", "notes").get(key, { consistency: "all" }),
  );
  if (!read.found) return [];
  return read.conflict ? [...read.siblings].sort() : [read.value];
}

describe("versions of one key", () => {
  test("a write is read back at every node, with a version", async () => {
    const cluster = await openAll();
    const written = await cluster.until(cluster.keyspace("n1", "notes").put("k", { a: 1 }));
    expect(written.receipt).toMatchObject({
      asked: "quorum",
      achieved: "quorum",
      consistent: true,
      replicas: { total: 3, standIns: 0 },
    });
    for (const id of cluster.ids) {
      const read = await cluster.until(cluster.keyspace(id, "notes").get("k"));
      expect(read).toMatchObject({ found: true, conflict: false, value: { a: 1 } });
      expect(read.found && read.version).toBe(written.version);
    }
  });

  test("writes without context stand side by side, in one answer with one version", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    await cluster.until(notes.put("k", "a"));
    await cluster.until(cluster.keyspace("n2", "notes").put("k", "b"));
    const read = await cluster.until(notes.get("k"));
    expect(read).toMatchObject({ found: true, conflict: true });
    expect(read.found && read.conflict && [...read.siblings].sort()).toEqual(["a", "b"]);
  });

  // A write's version covered all that stood beside it at the node that named it, read or not.
  test("a write upon a write's version replaces that write, and nothing that nobody has read", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    await cluster.until(notes.put("k", "a", { consistency: "all" }));
    const { version } = await cluster.until(notes.put("k", "b", { consistency: "all" }));
    for (const id of cluster.ids) {
      // Whoever names the next one, and whoever is asked for it again.
      const key = `on ${id}`;
      await cluster.until(notes.put(key, "a", { consistency: "all" }));
      const { version: context } = await cluster.until(notes.put(key, "b", { consistency: "all" }));
      const other = cluster.keyspace(id, "notes");
      await cluster.until(other.put(key, "c", { context }));
      expect(await siblingsOf(cluster, key)).toEqual(["a", "c"]);
    }
    const after = await cluster.until(notes.put("k", "c", { context: version }));
    await cluster.until(notes.put("k", "d", { context: after.version, consistency: "all" }));
    expect(await siblingsOf(cluster, "k")).toEqual(["a", "d"]);
    const deleted = await cluster.until(notes.put("k", "e"));
    await cluster.until(notes.delete("k", { context: deleted.version }));
    expect(await siblingsOf(cluster, "k")).toEqual(["a", "d"]);
  });

  test("it does so where its write is given again, after others have come", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const operationId = await notes.operationId();
    await cluster.until(notes.put("k", "b", { operationId, consistency: "all" }));
    await cluster.until(notes.put("k", "later", { consistency: "all" }));
    const again = await cluster.until(notes.put("k", "b", { operationId, consistency: "all" }));
    await cluster.until(notes.put("k", "c", { context: again.version, consistency: "all" }));
    expect(await siblingsOf(cluster, "k")).toEqual(["c", "later"]);
  });

  test("where the next node has not heard of what stood beside it, more stays, and never less", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const first = await cluster.until(notes.put("k", "replaced by a", { consistency: "all" }));
    cluster.isolate("n1");
    const options = { consistency: "one" } as const;
    await cluster.until(notes.put("k", "a", { ...options, context: first.version }));
    const { version } = await cluster.until(notes.put("k", "b", options));
    const there = cluster.keyspace("n2", "notes");
    const upon = await cluster.until(there.put("k", "c", { ...options, context: version }));
    // Neither that nor what has replaced it was seen: it may not go before that has come.
    const meanwhile = await cluster.until(there.get("k", options));
    expect(meanwhile.found && meanwhile.conflict && [...meanwhile.siblings].sort()).toEqual([
      "c",
      "replaced by a",
    ]);
    await cluster.until(there.put("k", "d", { ...options, context: upon.version }));
    const then = await cluster.until(there.get("k", options));
    expect(then.found && then.conflict && [...then.siblings].sort()).toEqual([
      "d",
      "replaced by a",
    ]);
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.advance(50);
    expect(await siblingsOf(cluster, "k")).toEqual(["a", "b", "d"]);
  });

  test("a write with what was read as context replaces exactly that", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    await cluster.until(notes.put("k", "a"));
    await cluster.until(notes.put("k", "b"));
    const read = await cluster.until(notes.get("k"));
    const context = read.found ? read.version : "";
    await cluster.until(cluster.keyspace("n2", "notes").put("k", "unseen"));
    await cluster.until(cluster.keyspace("n3", "notes").put("k", "merged", { context }));
    const after = await cluster.until(notes.get("k", { consistency: "all" }));
    expect(after.found && after.conflict && [...after.siblings].sort()).toEqual([
      "merged",
      "unseen",
    ]);
  });

  test("a deletion with a context removes what it saw, and leaves what it did not see", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const { version } = await cluster.until(notes.put("k", "seen"));
    await cluster.until(cluster.keyspace("n2", "notes").put("k", "unseen"));
    await cluster.until(notes.delete("k", { context: version }));
    expect(await cluster.until(notes.get("k"))).toMatchObject({ conflict: false, value: "unseen" });
  });

  test("a deletion without a context removes what is there; a later write is found", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    await cluster.until(notes.put("k", "a", { consistency: "all" }));
    await cluster.until(cluster.keyspace("n2", "notes").put("k", "b", { consistency: "all" }));
    await cluster.until(cluster.keyspace("n3", "notes").delete("k"));
    const gone = await cluster.until(notes.get("k"));
    expect(gone).toMatchObject({ found: false });
    expect(gone.version).toBeDefined();
    await cluster.until(notes.put("k", "again"));
    expect(await cluster.until(notes.get("k"))).toMatchObject({ found: true, value: "again" });
  });

  test("the 65th version without a context is refused, and one with a context is taken", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    for (let i = 0; i < 64; i++) await cluster.until(notes.put("k", i));
    const fault = await faultOf(cluster, notes.put("k", "one too many"));
    expect(fault).toMatchObject({ code: "TOO_MANY_SIBLINGS", outcome: "not-applied" });
    expect(fault.message).toContain('"k"');
    const read = await cluster.until(notes.get("k"));
    expect(read.found && read.conflict && read.siblings).toHaveLength(64);
    await cluster.until(notes.put("k", "all", { context: read.found ? read.version : "" }));
    expect(await cluster.until(notes.get("k"))).toMatchObject({ conflict: false, value: "all" });
  });
});

describe("bounds", () => {
  test("a record with all its versions holds 4 MiB; what does not fit is refused", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const megabyte = "x".repeat(1_000_000);
    for (let i = 0; i < 4; i++) await cluster.until(notes.put("k", megabyte));
    const fault = await faultOf(cluster, notes.put("k", megabyte));
    expect(fault).toMatchObject({ code: "VALUE_TOO_LARGE", outcome: "not-applied" });
    expect(fault.message).toContain("4194304");
    const { version } = await cluster.until(notes.get("k"));
    await cluster.until(notes.put("k", "small", version === undefined ? {} : { context: version }));
    expect(await cluster.until(notes.get("k"))).toMatchObject({ conflict: false, value: "small" });
  });

  test("a key whose context is full takes no further actor", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    let context = CausalContext.EMPTY;
    while (context.byteLength + CONTEXT_ENTRY_BYTES <= MAX_CONTEXT_BYTES) {
      const low = context.entries.length + 1;
      context = context.with({ actor: { high: 0, low }, counter: 1, time: 1 });
    }
    const tokens = new ContextTokens("notes", keyspaceHash("notes"), undefined);
    const token = tokens.tokenOf(Buffer.from("k"), context, 1);
    const fault = await faultOf(cluster, notes.put("k", "one more", { context: token }));
    expect(fault).toMatchObject({ code: "VALUE_TOO_LARGE", outcome: "not-applied" });
    expect(fault.message).toContain("context");
  });
});

describe("resolvers", () => {
  test("lww leaves one, the same everywhere, and counts what it threw away", async () => {
    const cluster = await openAll();
    cluster.isolate("n3");
    await cluster.until(cluster.keyspace("n1", "latest").put("k", "a"));
    await cluster.advance(5);
    await cluster.until(cluster.keyspace("n3", "latest").put("k", "b", { consistency: "one" }));
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const read = await cluster.until(
      cluster.keyspace("n1", "latest").get("k", { consistency: "all" }),
    );
    expect(read).toMatchObject({ conflict: false, value: "b" });
    await cluster.advance(50);
    for (const id of cluster.ids) {
      const own = cluster.keyspace(id, "latest").get("k", { consistency: "one" });
      expect(await cluster.until(own)).toMatchObject({ value: "b" });
    }
  });

  test("a merge function makes one value of siblings when they are read", async () => {
    const cluster = await openAll();
    const lists = cluster.keyspace("n1", "lists");
    await cluster.until(lists.put("k", { items: ["milk"] }));
    await cluster.until(cluster.keyspace("n2", "lists").put("k", { items: ["eggs"] }));
    const read = await cluster.until(lists.get("k"));
    expect(read).toMatchObject({ found: true, conflict: false });
    expect(JSON.stringify(read)).toContain("milk");
    expect(JSON.stringify(read)).toContain("eggs");
  });

  test("a CRDT takes operations at every node, and adds them up", async () => {
    const cluster = await openAll();
    for (const id of cluster.ids) {
      await cluster.until(cluster.keyspace(id, "counters").update("hits", { increment: 5 }));
    }
    await cluster.until(cluster.keyspace("n1", "counters").update("hits", { decrement: 3 }));
    const read = await cluster.until(cluster.keyspace("n2", "counters").get("hits"));
    expect(read).toMatchObject({ found: true, conflict: false, value: 12 });
  });

  test("both sides of a cut add to a set; after the heal every node shows the union", async () => {
    const cluster = await openAll();
    const add = (id: string, item: string) =>
      cluster.until(cluster.keyspace(id, "carts").update("alice", { add: item }));
    await add("n1", "milk");
    cluster.isolate("n3");
    await add("n1", "eggs");
    const { receipt } = await add("n3", "bread");
    expect(receipt).toMatchObject({ consistent: false, pendingSync: true });
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    for (const id of cluster.ids) {
      const read = cluster.keyspace(id, "carts").get("alice", { consistency: "all" });
      expect(await cluster.until(read)).toMatchObject({ value: ["bread", "eggs", "milk"] });
    }
  });

  test("what a keyspace does not offer is refused, and nothing is written", async () => {
    const cluster = await openAll();
    const refusals: [() => Promise<unknown>, string][] = [
      [() => cluster.keyspace("n1", "notes").update("k", { add: 1 }), "NOT_SUPPORTED"],
      [() => cluster.keyspace("n1", "carts").put("k", ["x"]), "NOT_SUPPORTED"],
      [() => cluster.keyspace("n1", "carts").delete("k"), "NOT_SUPPORTED"],
      [() => cluster.keyspace("n1", "carts").update("k", { increment: 1 }), "INVALID_ARGUMENT"],
      [
        () => cluster.keyspace("n1", "notes").put("k", 1, { ifAbsent: true }),
        "CONDITIONAL_UNSUPPORTED",
      ],
      [
        () => cluster.keyspace("n1", "notes").put("k", 1, { context: "made up" }),
        "INVALID_ARGUMENT",
      ],
      [
        () => cluster.keyspace("n1", "notes").get("k", { consistency: "strong" as "one" }),
        "INVALID_LEVEL",
      ],
    ];
    for (const [call, code] of refusals) {
      expect(await faultOf(cluster, call())).toMatchObject({ code, outcome: "not-applied" });
    }
    for (const name of ["notes", "carts"]) {
      const read = await cluster.until(cluster.keyspace("n1", name).get("k"));
      expect(read).toMatchObject({ found: false });
    }
  });
});

describe("operation ids", () => {
  test("a retry under an id is the very same write", async () => {
    const cluster = await openAll();
    const counters = cluster.keyspace("n1", "counters");
    const operationId = await cluster.until(counters.operationId());
    for (let tries = 0; tries < 3; tries++) {
      await cluster.until(counters.update("k", { increment: 1 }, { operationId }));
    }
    expect(await cluster.until(counters.get("k"))).toMatchObject({ value: 1 });
  });

  test("an id that was used for another key is refused", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const operationId = await cluster.until(notes.operationId());
    await cluster.until(notes.put("k", "a", { operationId }));
    const fault = await faultOf(cluster, notes.put("other", "a", { operationId }));
    expect(fault).toMatchObject({ code: "OPERATION_ID_REUSED", outcome: "not-applied" });
  });

  test("an id that was used for another value, or for a deletion, is refused; the first write stays", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    const operationId = await cluster.until(notes.operationId());
    const first = await cluster.until(notes.put("k", { a: 1, b: 2 }, { operationId }));
    const others = [
      () => notes.put("k", "b", { operationId }),
      () => notes.put("k", { a: 1, b: 2 }, { operationId, ttlMs: 1_000 }),
      () => notes.delete("k", { operationId }),
    ];
    for (const other of others) {
      const fault = await faultOf(cluster, other());
      expect(fault).toMatchObject({ code: "OPERATION_ID_REUSED", outcome: "not-applied" });
      expect(fault.message).toContain("another value");
    }
    const again = await cluster.until(notes.put("k", { b: 2, a: 1 }, { operationId }));
    expect(again.version).toBe(first.version);
    expect(await cluster.until(notes.get("k"))).toMatchObject({ value: { a: 1, b: 2 } });
  });

  test("an id that a fault carried is one for what was written then, also at its first retry", async () => {
    const cluster = await openAll();
    const notes = cluster.keyspace("n1", "notes");
    cluster.isolate("n1");
    const options = { consistency: "each-quorum", timeoutMs: 100 } as const;
    const { operationId = "" } = await faultOf(cluster, notes.put("k", "a", options));
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    const others = [
      () => notes.put("k", "b", { operationId }),
      () => notes.put("k", "a", { operationId, ttlMs: 1_000 }),
      () => notes.delete("k", { operationId }),
      () => notes.put("other", "a", { operationId }),
    ];
    for (const other of others) {
      const fault = await faultOf(cluster, other());
      expect(fault).toMatchObject({ code: "OPERATION_ID_REUSED", outcome: "not-applied" });
    }
    await cluster.until(notes.put("k", "a", { operationId }));
    const resolved = cluster.node("n1").store.resolve(operationId);
    expect(await cluster.until(resolved)).toMatchObject({ outcome: "applied" });
    expect(await cluster.until(notes.get("k"))).toMatchObject({ value: "a", conflict: false });
  });

  test("used at a node that has not made it, it cannot be told whether it was used", async () => {
    const cluster = await openAll();
    const operationId = await cluster.until(cluster.keyspace("n1", "notes").operationId());
    const fault = await faultOf(
      cluster,
      cluster.keyspace("n2", "notes").put("k", "a", { operationId }),
    );
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", operationId });
    expect(fault.message).toContain("n1");
  });
});

test("a scan shows values, and versions side by side", async () => {
  const cluster = await openAll();
  const notes = cluster.keyspace("n1", "notes");
  await cluster.until(notes.put("a", 1));
  await cluster.until(notes.put("b", 2));
  await cluster.until(notes.put("b", 3));
  await cluster.until(notes.put("c", 4));
  await cluster.until(notes.delete("c"));
  const entries: unknown[] = [];
  const scan = async () => {
    for await (const entry of notes.scan()) entries.push(entry);
  };
  await cluster.until(scan());
  expect(entries).toMatchObject([
    { key: "a", value: 1 },
    { key: "b", siblings: [2, 3] },
  ]);
});
