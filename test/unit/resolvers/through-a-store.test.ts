import { afterAll, beforeAll, expect, test } from "vitest";
import type { DynamicName, TypedStore } from "../../../src/index.ts";
import { capstanModule, isCapstanError, openStore } from "../../../src/index.ts";
import { defineResolver, merge, orMap, pnCounter } from "../../../src/resolvers/index.ts";

const highScore = defineResolver({
  name: "high-score",
  initial: () => 0,
  mutate: (state: number, { score }: { score: number }) => Math.max(state, score),
  join: Math.max,
  value: (state) => state,
  checkOperation: (operation) => operation as { score: number },
});

/** Resolvers by name and as objects, what is done to one key, and what is read then. */
const CRDTS: Readonly<
  Record<string, { readonly resolver: string | object; operations: unknown[]; value: unknown }>
> = {
  visits: {
    resolver: "g-counter",
    operations: [{ increment: 5 }, { increment: 1 }],
    value: 6,
  },
  stock: { resolver: "pn-counter", operations: [{ increment: 5 }, { decrement: 7 }], value: -2 },
  seen: {
    resolver: "g-set",
    operations: [{ add: "x" }, { add: "x" }, { add: 1n }],
    value: ["x", 1n],
  },
  carts: {
    resolver: "or-set",
    operations: [{ add: "milk" }, { add: { sku: 7 } }, { remove: "milk" }],
    value: [{ sku: 7 }],
  },
  titles: { resolver: "lww-register", operations: [{ set: "a" }, { set: ["b"] }], value: ["b"] },
  drafts: { resolver: "mv-register", operations: [{ set: "a" }, { set: "b" }], value: ["b"] },
  switches: {
    resolver: "flag",
    operations: [{ enable: true }, { disable: true }],
    value: false,
  },
  documents: {
    resolver: "or-map",
    operations: [
      { update: { key: "likes", operation: { "pn-counter": { increment: 3 } } } },
      { update: { key: "tags", operation: { "or-set": { add: "x" } } } },
      { remove: "likes" },
    ],
    value: { tags: ["x"] },
  },
  votes: {
    resolver: orMap(pnCounter()),
    operations: [{ update: { key: "yes", operation: { increment: 2 } } }],
    value: { yes: 2 },
  },
  high: { resolver: highScore, operations: [{ score: 5 }, { score: 3 }], value: 5 },
  bound: { resolver: "mine", operations: [{ score: 5 }, { score: 8 }], value: 8 },
};

let store: TypedStore<Record<string, object>>;

beforeAll(async () => {
  const crdts = Object.entries(CRDTS).map(([name, { resolver }]) => [name, resolver] as const);
  const plain = ["lww", "version-vector", "union", merge(() => "merged", { name: "of-mine" })];
  const all = [...crdts, ...plain.map((resolver, at) => [`plain-${at}`, resolver] as const)];
  const keyspaces = Object.fromEntries(
    all.map(([name, resolver]) => [name, { strategy: "dynamo", replicas: 1, resolver }]),
  );
  const modules = [capstanModule({ resolvers: { mine: highScore } })];
  store = (await openStore({ keyspaces } as object, { modules })) as typeof store;
});

afterAll(() => store.close());

test.each(Object.entries(CRDTS))(
  "%s: operations lead to the value that is read",
  async (name, { operations, value }) => {
    const keyspace = store.keyspace(name as DynamicName);
    for (const operation of operations) await keyspace.update("k", operation);
    expect(await keyspace.get("k")).toMatchObject({ found: true, conflict: false, value });
    expect(await keyspace.get("other")).toMatchObject({ found: false });
  },
);

test("an operation that there is not is refused, and nothing is written", async () => {
  const carts = store.keyspace("carts" as DynamicName);
  const fault = await carts.update("refused", { increment: 1 }).catch((error: unknown) => error);
  expect(isCapstanError(fault) && fault).toMatchObject({
    ...{ code: "INVALID_ARGUMENT", outcome: "not-applied" },
    message: expect.stringContaining(
      '{"increment":1} is no operation of or-set; allowed: { add: "milk" }, { remove: "milk" }',
    ),
  });
  expect(await carts.has("refused")).toBe(false);
});

test("an operation that the state cannot take is refused, and nothing is written", async () => {
  const counters = store.keyspace("stock" as DynamicName);
  await counters.update("full", { increment: Number.MAX_SAFE_INTEGER });
  const fault = await counters.update("full", { increment: 1 }).catch((error: unknown) => error);
  expect(isCapstanError(fault) && fault).toMatchObject({
    ...{ code: "INVALID_ARGUMENT", outcome: "not-applied" },
    message: expect.stringContaining("a counter at 9007199254740991 cannot change by 1"),
  });
  expect(await counters.get("full")).toMatchObject({ value: Number.MAX_SAFE_INTEGER });
});

test("resolvers of plain values take plain writes, and no operations", async () => {
  for (const name of ["plain-0", "plain-1", "plain-2", "plain-3"]) {
    const keyspace = store.keyspace(name as DynamicName);
    await keyspace.put("k", ["x"]);
    expect(await keyspace.get("k")).toMatchObject({ found: true, value: ["x"] });
    const fault = await keyspace.update("k", { add: "y" }).catch((error: unknown) => error);
    expect(isCapstanError(fault) && fault.code).toBe("NOT_SUPPORTED");
  }
});

test("versions that did not know of each other are resolved as the keyspace has it", async () => {
  const write = async (name: string): Promise<unknown> => {
    const keyspace = store.keyspace(name as DynamicName);
    // Without what was there, a write stands beside it.
    await keyspace.put("pair", ["a"]);
    await keyspace.put("pair", ["b"]);
    const read = await keyspace.get("pair");
    if (!read.found) return undefined;
    return read.conflict ? read.siblings : read.value;
  };
  expect(await write("plain-0")).toEqual(["b"]);
  expect(await write("plain-1")).toEqual([["a"], ["b"]]);
  expect(await write("plain-2")).toEqual(["a", "b"]);
  expect(await write("plain-3")).toBe("merged");
});
