import { expect, test } from "vitest";
import { resolversByName } from "../../../../src/built-ins.ts";
import { orSet } from "../../../../src/resolvers/index.ts";
import { type KeyspaceUse, useOf } from "../../../../src/simulation/verify/keyspace-use.ts";

function used(strategy: string, resolver?: unknown): KeyspaceUse {
  return useOf({ strategy, resolver } as Parameters<typeof useOf>[0]);
}

test("every resolver that a configuration can name is used", () => {
  const uses = Object.keys(resolversByName()).map((name) => [name, used("dynamo", name)]);
  expect(Object.fromEntries(uses)).toEqual({
    ...{ lww: "register", "version-vector": "siblings", union: "merged" },
    ...{ "g-counter": "crdt", "pn-counter": "crdt", "g-set": "crdt", "or-set": "crdt" },
    ...{ "lww-register": "crdt", "mv-register": "crdt", flag: "crdt", "or-map": "crdt" },
  });
});

test("a CRDT of the user's own, or of a strategy that is not dynamo, is read alone", () => {
  expect(used("dynamo", orSet())).toBe("unused");
  expect(used("their-own", "or-set")).toBe("unused");
});

test("without a resolver siblings stay on dynamo, and elsewhere a key has one value", () => {
  expect(used("dynamo")).toBe("siblings");
  expect(used("raft")).toBe("register");
});
