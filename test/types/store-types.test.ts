/**
 * What compiles and what does not. The compiler checks this file with the rest of `test`: an
 * `@ts-expect-error` above a line that compiles is itself an error. Nothing of it runs.
 */
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { connect } from "../../src/client/index.ts";
import type { StorageFactory, Strategy, TransportFactory } from "../../src/contracts.ts";
import {
  createMemoryHub,
  type DynamicName,
  defineConfig,
  type EmbeddedKeyspace,
  type Found,
  type FoundSiblings,
  type Keyspace,
  type KeyspaceOf,
  type KeyspacesOf,
  type NotFound,
  openStore,
  type Store,
  type StoreConfigurationInput,
  valuesOf,
  type Written,
} from "../../src/index.ts";
import {
  defineResolver,
  gCounter,
  lww,
  merge,
  orMap,
  orSet,
  versionVector,
} from "../../src/resolvers/index.ts";
import { simulate } from "../../src/simulation/index.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
} from "../../src/verification/index.ts";

declare module "../../src/index.ts" {
  interface Strategies {
    /** A plug-in's strategy that offers everything. */
    "test-consensus": {
      readLevels: "strong" | "lease";
      writeLevels: "strong";
      scanLevels: "strong";
      conditional: true;
      operations: "update" | "watch" | "batch";
      options: "operationId" | "ttlMs" | "context" | "session";
      siblings: true;
      configuration: { readonly read?: "strong" | "lease"; readonly lanes?: number };
    };
  }
  interface Resolvers {
    "test-set": {
      operation: { add: string } | { remove: string };
      value: string[];
      siblings: false;
    };
    "test-siblings": { operation: never; value: unknown; siblings: true };
  }
}

interface Profile {
  readonly name: string;
  readonly age?: number;
}

const highScore = defineResolver({
  name: "high-score",
  initial: () => 0,
  mutate: (state: number, { score }: { score: number }) => Math.max(state, score),
  join: Math.max,
  value: (state) => state,
  checkOperation: (operation) => operation as { score: number },
});

const account = z.strictObject({ balance: z.number(), opened: z.string().transform(Number) });

const open = () =>
  openStore(
    {
      cluster: { name: "types", nodes: ["a", "b", "c"] },
      transport: { type: "memory", hub: createMemoryHub() },
      keyspaces: {
        plain: { strategy: "tunable", replicas: 3, read: "one", write: "quorum" },
        unnamed: { replicas: 3 },
        accounts: { strategy: "tunable", schema: account },
        profiles: { strategy: "tunable", schema: valuesOf<Profile>() },
        ledger: { strategy: "test-consensus", read: "lease", lanes: 2 },
        vaults: {
          strategy: "raft",
          replicas: 3,
          electionTimeout: "300ms",
          read: "lease",
          schema: valuesOf<Profile>(),
        },
        drafts: { strategy: "dynamo", read: 2, write: "one", schema: valuesOf<Profile>() },
        seen: { strategy: "dynamo", resolver: "lww", schema: valuesOf<Profile>() },
        hits: { strategy: "dynamo", resolver: "pn-counter", replicas: 3 },
        carts: { strategy: "test-consensus", resolver: "test-set" },
        notes: {
          strategy: "test-consensus",
          resolver: "test-siblings",
          schema: valuesOf<Profile>(),
        },
        tags: { strategy: "test-consensus", resolver: "or-set" },
        stock: { strategy: "test-consensus", resolver: "pn-counter" },
        switches: { strategy: "test-consensus", resolver: "flag" },
        documents: { strategy: "test-consensus", resolver: "or-map" },
        names: { strategy: "test-consensus", resolver: orSet<string>() },
        votes: { strategy: "test-consensus", resolver: orMap(gCounter()) },
        high: { strategy: "test-consensus", resolver: highScore },
        latest: { strategy: "test-consensus", resolver: lww<Profile>() },
        apart: { strategy: "test-consensus", resolver: versionVector<Profile>() },
        merged: { strategy: "test-consensus", resolver: merge<string[]>((all) => all.flat()) },
      },
    },
    { node: "a" },
  );
type Opened = Awaited<ReturnType<typeof open>>;
declare const store: Opened;

const checks = {
  async keyspaces() {
    store.keyspace("plain");
    store.keyspace("unnamed");
    // @ts-expect-error: not declared
    store.keyspace("other");
    // @ts-expect-error: a name that is only known at run time has to be marked
    store.keyspace("plain" as string);
    expectTypeOf(store.keyspace("plain" as DynamicName)).toEqualTypeOf<EmbeddedKeyspace>();

    const unconfigured = await openStore();
    unconfigured.keyspace("default");
    // @ts-expect-error: without keyspaces there is one, `default`
    unconfigured.keyspace("plain");
  },

  async levels() {
    const plain = store.keyspace("plain");
    await plain.get("k", { consistency: "one" });
    await plain.get("k", { consistency: "strong" });
    await plain.put("k", 1, { consistency: "all" });
    await plain.delete("k", { consistency: "eventual" });
    // @ts-expect-error: tunable has no lease
    await plain.get("k", { consistency: "lease" });
    // @ts-expect-error: a word that is no level
    await plain.put("k", 1, { consistency: "most" });
    // @ts-expect-error: no scan is strong
    plain.scan({ consistency: "strong" });
    // @ts-expect-error: the default strategy is tunable
    await store.keyspace("unnamed").delete("k", { consistency: "session" });

    const ledger = store.keyspace("ledger");
    await ledger.get("k", { consistency: "lease" });
    // @ts-expect-error: a lease is no level of writes
    await ledger.put("k", 1, { consistency: "lease" });
    // @ts-expect-error: not offered
    await ledger.get("k", { consistency: "quorum" });
  },

  async options() {
    const plain = store.keyspace("plain");
    const signal = new AbortController().signal;
    await plain.get("k", { signal, timeoutMs: 10 });
    await plain.put("k", 1, { operationId: "id" });
    // @ts-expect-error: no consensus, no condition
    await plain.put("k", 1, { ifVersion: "v" });
    // @ts-expect-error: likewise
    await plain.delete("k", { ifAbsent: true });
    await plain.put("k", 1, { ttlMs: 5 });
    await plain.get("k", { session: "s" });
    plain.withSession();
    await plain.put("k", 1, { context: "c" });
    // @ts-expect-error: misspelt
    await plain.get("k", { consistancy: "one" });
    // @ts-expect-error: one id cannot name many writes
    await plain.putMany([["k", 1]], { operationId: "id" });

    const ledger = store.keyspace("ledger");
    await ledger.put("k", 1, { ttlMs: 5, context: "c", session: "s" });
    await ledger.get("k", { session: "s" });
    const session = ledger.withSession("token");
    expectTypeOf(session.token).toEqualTypeOf<string>();
    await session.get("k", { consistency: "lease" });
  },

  async operations() {
    const plain = store.keyspace("plain");
    // @ts-expect-error: tunable has no update
    await plain.update("k", { add: 1 });
    // @ts-expect-error: nor modify
    await plain.modify("k", () => 1);
    plain.watch({ prefix: "a" });
    plain.changes$;
    await plain.batch([{ delete: "k" }]);
    await store.keyspace("notes").batch([{ delete: "k", operationId: "id" }]);
    expectTypeOf(await plain.batchKind()).toEqualTypeOf<"all-or-nothing" | "per-key">();

    const carts = store.keyspace("carts");
    await carts.update("k", { add: "milk" });
    // @ts-expect-error: not an operation of the resolver
    await carts.update("k", { increment: 1 });
    await store.keyspace("ledger").modify("k", (current) => current);
    store.keyspace("ledger").watch({ prefix: "a" });
    await store.keyspace("ledger").batch([{ put: "k", value: 1 }, { delete: "l" }]);
  },

  async raft() {
    const vaults = store.keyspace("vaults");
    const signal = new AbortController().signal;
    for (const consistency of ["strong", "quorum", "lease", "follower", "stale"] as const) {
      await vaults.get("k", { consistency, signal });
      vaults.scan({ consistency });
    }
    await vaults.get("k", { consistency: "session", session: "s" });
    const now = vaults.getNow("k", { consistency: "lease" });
    if (now?.found) expectTypeOf(now.value).toEqualTypeOf<Profile>();
    // @ts-expect-error: what answers at once is never late
    vaults.getNow("k", { timeoutMs: 5 });
    // @ts-expect-error: a level that no majority system offers
    await vaults.get("k", { consistency: "all" });
    // @ts-expect-error: nor for writes
    await vaults.put("k", { name: "a" }, { consistency: "all" });
    // @ts-expect-error: a scan carries no session
    vaults.scan({ consistency: "session" });
    const put = await vaults.put("k", { name: "a" }, { ifAbsent: true, ttlMs: 5 });
    if (!put.ok && put.current.found) expectTypeOf(put.current.value).toEqualTypeOf<Profile>();
    await vaults.delete("k", { ifVersion: "v", operationId: "order-17" });
    await vaults.modify("k", (current) => ({ name: current?.name ?? "a" }));
    await vaults.batch([{ put: "k", value: { name: "a" } }, { delete: "l" }]);
    vaults.watch({ prefix: "a" });
    // @ts-expect-error: raft has no context, it has versions
    await vaults.put("k", { name: "a" }, { context: "c" });
    // @ts-expect-error: nor operations of a resolver
    await vaults.update("k", { add: 1 });
    await openStore({
      // @ts-expect-error: whoever asks for a majority gets one
      keyspaces: { a: { strategy: "raft", partitionPolicy: "prefer-availability" } },
    });
  },

  async dynamo() {
    const drafts = store.keyspace("drafts");
    const read = await drafts.get("k", { consistency: "one" });
    if (read.found && read.conflict)
      expectTypeOf(read.siblings).toEqualTypeOf<readonly Profile[]>();
    if (read.found && !read.conflict) expectTypeOf(read.value).toEqualTypeOf<Profile>();
    await drafts.put("k", { name: "a" }, { context: "c", operationId: "o", consistency: "all" });
    // @ts-expect-error: there is no consensus
    await drafts.get("k", { consistency: "strong" });
    // @ts-expect-error: nor conditions
    await drafts.put("k", { name: "a" }, { ifAbsent: true });
    // @ts-expect-error: siblings are values, not operations
    await drafts.update("k", { add: 1 });
    const latest = await store.keyspace("seen").get("k");
    if (latest.found) expectTypeOf(latest.value).toEqualTypeOf<Profile>();
    await store.keyspace("hits").update("k", { increment: 5 });
    // @ts-expect-error: a CRDT is changed by its operations alone
    await store.keyspace("hits").put("k", 5);
    // @ts-expect-error: likewise
    await store.keyspace("hits").delete("k");
    // @ts-expect-error: likewise
    await store.keyspace("hits").putMany([["k", 5]]);
    // @ts-expect-error: likewise
    await store.keyspace("hits").batch([{ put: "k", value: 5 }]);
    await store.keyspace("hits").operationId();
    await store.keyspace("seen").batch([{ put: "k", value: { name: "Ada" } }]);
    const hits = await store.keyspace("hits").get("k");
    if (hits.found) expectTypeOf(hits.value).toBeNumber();
    await openStore({
      // @ts-expect-error: no level of dynamo
      keyspaces: { a: { strategy: "dynamo", read: "strong" } },
    });
  },

  async resolvers() {
    await store.keyspace("tags").update("k", { add: { any: "value" } });
    await store.keyspace("tags").update("k", { remove: 1 });
    // @ts-expect-error: one operation at a time
    await store.keyspace("tags").update("k", { add: 1, remove: 2 });
    await store.keyspace("stock").update("k", { decrement: 2 });
    // @ts-expect-error: an amount is a number
    await store.keyspace("stock").update("k", { increment: "1" });
    const stock = await store.keyspace("stock").get("k");
    if (stock.found) expectTypeOf(stock.value).toBeNumber();
    await store.keyspace("switches").update("k", { enable: true });
    // @ts-expect-error: to disable is an operation of its own
    await store.keyspace("switches").update("k", { enable: false });
    const documents = store.keyspace("documents");
    await documents.update("k", { update: { key: "tags", operation: { "or-set": { add: 1 } } } });
    await documents.update("k", { remove: "tags" });
    // @ts-expect-error: no operation of that kind
    await documents.update("k", { update: { key: "tags", operation: { flag: { add: 1 } } } });
  },

  async resolversAsObjects() {
    await store.keyspace("names").update("k", { add: "Ada" });
    // @ts-expect-error: a set of texts
    await store.keyspace("names").update("k", { add: 1 });
    const names = await store.keyspace("names").get("k");
    if (names.found) expectTypeOf(names.value).toEqualTypeOf<string[]>();
    const votes = store.keyspace("votes");
    await votes.update("k", { update: { key: "yes", operation: { increment: 1 } } });
    // @ts-expect-error: these only grow
    await votes.update("k", { update: { key: "yes", operation: { decrement: 1 } } });
    await store.keyspace("high").update("k", { score: 5 });
    // @ts-expect-error: not what its mutate takes
    await store.keyspace("high").update("k", { points: 5 });
    // @ts-expect-error: it takes no operations
    await store.keyspace("latest").update("k", { set: 1 });
    expectTypeOf(await store.keyspace("latest").get("k")).toEqualTypeOf<
      Found<Profile> | NotFound
    >();
    expectTypeOf(await store.keyspace("apart").get("k")).toEqualTypeOf<
      Found<Profile> | FoundSiblings<Profile> | NotFound
    >();
    expectTypeOf(await store.keyspace("merged").get("k")).toEqualTypeOf<
      Found<string[]> | NotFound
    >();
  },

  async values() {
    const plain = await store.keyspace("plain").get("k");
    if (plain.found) expectTypeOf(plain.value).toBeUnknown();
    await store.keyspace("plain").put("k", { anything: [1, "x"] });

    const profiles = store.keyspace("profiles");
    await profiles.put("k", { name: "Ada" });
    // @ts-expect-error: not a profile
    await profiles.put("k", { nam: "Ada" });
    // @ts-expect-error: neither is this, in a list
    await profiles.putMany([["k", { name: 1 }]]);
    const profile = await profiles.get("k");
    // @ts-expect-error: it may not be there
    profile.value;
    if (profile.found) expectTypeOf(profile.value).toEqualTypeOf<Profile>();
    for await (const entry of profiles.scan()) {
      expectTypeOf(entry.value).toEqualTypeOf<Profile>();
    }
    for await (const entry of store.keyspace("drafts").scan()) {
      expectTypeOf(entry.value).toEqualTypeOf<Profile | undefined>();
      expectTypeOf(entry.siblings).toEqualTypeOf<readonly Profile[] | undefined>();
    }
    for await (const event of profiles.watch()) {
      expectTypeOf(event.key).toEqualTypeOf<string | undefined>();
      if (event.type === "put") expectTypeOf(event.value).toEqualTypeOf<Profile>();
      if (event.type === "conflict")
        expectTypeOf(event.siblings).toEqualTypeOf<readonly Profile[]>();
      if (event.type === "delete") expectTypeOf(event.key).toBeString();
    }

    // A schema that transforms takes one type and gives another.
    const accounts = store.keyspace("accounts");
    await accounts.put("k", { balance: 1, opened: "2024" });
    // @ts-expect-error: that is what comes out, not what goes in
    await accounts.put("k", { balance: 1, opened: 2024 });
    const found = await accounts.get("k");
    if (found.found) expectTypeOf(found.value.opened).toBeNumber();

    const cart = await store.keyspace("carts").get("k");
    if (cart.found) expectTypeOf(cart.value).toEqualTypeOf<string[]>();
  },

  async results() {
    expectTypeOf(await store.keyspace("profiles").get("k")).toEqualTypeOf<
      Found<Profile> | NotFound
    >();
    expectTypeOf(await store.keyspace("notes").get("k")).toEqualTypeOf<
      Found<Profile> | FoundSiblings<Profile> | NotFound
    >();
    expectTypeOf(
      await store.keyspace("profiles").put("k", { name: "Ada" }),
    ).toEqualTypeOf<Written>();

    const ledger = store.keyspace("ledger");
    expectTypeOf(await ledger.put("k", 1)).toEqualTypeOf<Written>();
    const conditional = await ledger.put("k", 1, { ifVersion: "v" });
    if (conditional.ok) expectTypeOf(conditional.version).toBeString();
    else expectTypeOf(conditional.current.found).toBeBoolean();
    const absent = await ledger.put("k", 1, { ifAbsent: true, ttlMs: 1 });
    if (!absent.ok)
      expectTypeOf(absent.reason).toEqualTypeOf<"version-mismatch" | "exists" | "absent">();
    // @ts-expect-error: a condition that does not hold has no version
    absent.version;
  },

  async configurations() {
    // @ts-expect-error: not a level of tunable
    await openStore({ keyspaces: { k: { strategy: "tunable", read: "lease" } } });
    // @ts-expect-error: nor where tunable is only the default
    await openStore({ keyspaces: { k: { write: "follower" } } });
    // @ts-expect-error: not a level of this strategy
    await openStore({ keyspaces: { k: { strategy: "test-consensus", read: "quorum" } } });
    // @ts-expect-error: no such strategy
    await openStore({ keyspaces: { k: { strategy: "paxos" } } });
    // @ts-expect-error: misspelt
    await openStore({ keyspaces: { k: { strategy: "tunable", replicsa: 3 } } });
    // @ts-expect-error: another strategy's field
    await openStore({ keyspaces: { k: { strategy: "tunable", lanes: 3 } } });
    // @ts-expect-error: not a deadline of a level that there is
    await openStore({ keyspaces: { k: { deadlines: { lease: 5 } } } });
    // @ts-expect-error: misspelt within repair
    await openStore({ keyspaces: { k: { repair: { interval: "1s", intervall: "1h" } } } });
    // @ts-expect-error: no duration
    await openStore({ keyspaces: { k: { strategy: "dynamo", repair: { reapAfter: true } } } });
    // @ts-expect-error: raft replicas need no repair
    await openStore({ keyspaces: { k: { strategy: "raft", repair: { interval: "1s" } } } });
    // @ts-expect-error: not a durability
    await openStore({ keyspaces: { k: { durability: "disk" } } });
    // @ts-expect-error: not a schema
    await openStore({ keyspaces: { k: { schema: { type: "object" } } } });
    // @ts-expect-error: misspelt at the top
    await openStore({ keyspace: {} });
    // @ts-expect-error: misspelt option
    await openStore({}, { nodes: "a" });
    await openStore({
      keyspaces: {
        k: { deadlines: { strong: "2s" }, partitionPolicy: "prefer_availability" },
        l: { strategy: "dynamo", repair: { interval: "off", reapAfter: "1h", maxHints: 10 } },
      },
    });

    // A configuration that is no literal, from a file: run time checks it.
    const loaded: StoreConfigurationInput = JSON.parse("{}");
    const dynamic = await openStore(loaded, { node: "a" });
    expectTypeOf(dynamic.keyspace("any")).toEqualTypeOf<EmbeddedKeyspace>();
  },

  async sharedConfigurations() {
    const shared = defineConfig({
      cluster: { name: "shared", nodes: { a: "127.0.0.1:7001" } },
      keyspaces: { profiles: { strategy: "tunable", read: "one", schema: valuesOf<Profile>() } },
    });
    const opened = await openStore(shared, { node: "a" });
    await opened.keyspace("profiles").put("k", { name: "Ada" });
    // @ts-expect-error: not declared
    opened.keyspace("other");
    // @ts-expect-error: not a profile
    await opened.keyspace("profiles").put("k", 1);
    // @ts-expect-error: checked here already
    defineConfig({ keyspaces: { k: { strategy: "tunable", read: "lease" } } });
    // @ts-expect-error: misspelt
    defineConfig({ keyspaces: { k: { replcias: 3 } } });
  },

  async configurationsOfOthers() {
    const shared = defineConfig({
      keyspaces: {
        profiles: { strategy: "tunable", schema: valuesOf<Profile>() },
        ledger: { strategy: "raft", schema: valuesOf<Profile>() },
        hits: { strategy: "dynamo", resolver: "pn-counter" },
      },
    });
    expectTypeOf<KeyspaceOf<typeof shared, "profiles">>().toEqualTypeOf<
      KeyspaceOf<Awaited<ReturnType<typeof openStore<KeyspacesOf<typeof shared>>>>, "profiles">
    >();

    const client = connect<typeof shared>({ url: "http://127.0.0.1:1" });
    const profile = await client.keyspace("profiles").get("k");
    if (profile.found) expectTypeOf(profile.value).toEqualTypeOf<Profile>();
    // @ts-expect-error: not a profile
    await client.keyspace("profiles").put("k", 1);
    // @ts-expect-error: no level of tunable
    await client.keyspace("profiles").get("k", { consistency: "lease" });
    // @ts-expect-error: not declared
    client.keyspace("other");
    // @ts-expect-error: only an embedded keyspace answers at once
    client.keyspace("ledger").getNow("k");
    const put = await client.keyspace("ledger").put("k", { name: "a" }, { ifAbsent: true });
    if (!put.ok) expectTypeOf(put.current).toEqualTypeOf<Found<Profile> | NotFound>();
    await client.keyspace("ledger").withSession().put("k", { name: "a" });
    await client.keyspace("hits").update("k", { increment: 1 });
    expectTypeOf(client.keyspace("any" as DynamicName)).toEqualTypeOf<Keyspace>();
    const untyped = connect({ url: "http://127.0.0.1:1" });
    expectTypeOf(untyped.keyspace("any")).toEqualTypeOf<Keyspace>();

    const sim = await simulate({ nodes: 3, config: shared });
    await sim.store("n1").keyspace("ledger").put("k", { name: "a" });
    // @ts-expect-error: not declared
    sim.store("n1").keyspace("other");
    // @ts-expect-error: misspelt
    await simulate({ config: { keyspaces: { k: { strategy: "tunable", replicsa: 3 } } } });

    const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({ now: Date.now });
    const recorded = recordKeyspace(store.keyspace("ledger"), recorder, { client: "c1" });
    await recorded.put("k", { name: "a" }, { ifAbsent: true });
    // @ts-expect-error: a recorded keyspace refuses it
    await recorded.modify("k", (current) => current ?? { name: "a" });
    const plain: Keyspace = untyped.keyspace("any");
    expectTypeOf(recordKeyspace(plain, recorder, { client: "c1" })).toEqualTypeOf<Keyspace>();
  },

  async strategiesAsObjects() {
    const { strategy, foreign } = {} as {
      strategy: Strategy & { readonly name: "test-consensus" };
      foreign: Strategy;
    };
    const opened = await openStore({
      keyspaces: { known: { strategy, read: "lease", lanes: 2 }, foreign: { strategy: foreign } },
      transport: {} as TransportFactory,
      storage: {} as StorageFactory,
    });
    await opened.keyspace("known").get("k", { consistency: "lease" });
    // @ts-expect-error: the entry of `Strategies` under the object's name decides
    await opened.keyspace("known").get("k", { consistency: "quorum" });
    // Without an entry only run time can decide.
    await opened.keyspace("foreign").get("k", { consistency: "quorum" });
  },

  assignability() {
    expectTypeOf(store).toExtend<Store>();
    expectTypeOf<KeyspaceOf<Opened, "profiles">>().toHaveProperty("put");
  },
};

it("keeps a configuration as it was given", () => {
  const given = { keyspaces: { k: { strategy: "tunable" } } } as const;
  expect(defineConfig(given)).toBe(given);
  // The cases above are for the compiler.
  expect(checks).toBeDefined();
});
