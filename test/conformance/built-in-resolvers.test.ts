import { describe, expect, test } from "vitest";
import { resolverConformance } from "../../src/conformance/resolver.ts";
import { crdtConformance } from "../../src/conformance/resolver-crdt.ts";
import type { CrdtResolver, Resolver } from "../../src/core/contracts/resolver.ts";
import { encodeValue } from "../../src/core/model/values.ts";
import { gCounter, pnCounter } from "../../src/resolvers/crdt/counters.ts";
import { orMap } from "../../src/resolvers/crdt/or-map.ts";
import { orSet } from "../../src/resolvers/crdt/or-set.ts";
import { merge } from "../../src/resolvers/merge.ts";
import { crdtsByName, resolversByName } from "../../src/resolvers/resolvers-by-name.ts";

/** Operations that clients send, and what is refused, by the name of the CRDT. */
const OPERATIONS: Readonly<
  Record<string, { readonly operations: readonly unknown[]; readonly refused: readonly unknown[] }>
> = {
  "g-counter": {
    operations: [{ increment: 1 }, { increment: 2 }, { increment: 40 }],
    refused: [{ decrement: 1 }, { increment: 0 }, { increment: 1.5 }, { increment: 2 ** 53 }],
  },
  "pn-counter": {
    operations: [{ increment: 1 }, { decrement: 2 }, { increment: 40 }, { decrement: 7 }],
    refused: [{ increment: -1 }, { increment: 1, decrement: 1 }, { decrement: "1" }, {}],
  },
  "g-set": {
    operations: [{ add: "x" }, { add: { y: [1n] } }, { add: 3 }, { add: new Date(5) }],
    refused: [{ remove: "x" }, { add: undefined }, { add: Number.NaN }, "x", null],
  },
  "or-set": {
    operations: [{ add: "x" }, { add: "y" }, { remove: "x" }, { add: [1] }, { remove: "y" }],
    refused: [{ add: "x", remove: "x" }, { set: 1 }, [], undefined, { add: () => 1 }],
  },
  "lww-register": {
    operations: [{ set: "x" }, { set: null }, { set: { a: 1 } }],
    refused: [{ add: "x" }, { set: undefined }, 5],
  },
  "mv-register": {
    operations: [{ set: "x" }, { set: null }, { set: { a: 1 } }],
    refused: [{ get: "x" }, { set: Number.NaN }, true],
  },
  flag: {
    operations: [{ enable: true }, { disable: true }, { enable: true }],
    refused: [{ enable: false }, { enable: 1 }, true, { disable: true, enable: true }],
  },
  "or-map": {
    operations: [
      { update: { key: "a", operation: { "or-set": { add: 1 } } } },
      { update: { key: "b", operation: { "pn-counter": { increment: 2 } } } },
      { remove: "a" },
      { update: { key: "a", operation: { flag: { enable: true } } } },
      { update: { key: "a", operation: { "or-set": { remove: 1 } } } },
    ],
    refused: [
      { update: { key: "a" } },
      { update: { key: "a", operation: { set: 1 } } },
      { update: { key: 1, operation: { flag: { enable: true } } } },
      { update: { key: "a", operation: { flag: { enable: true } }, more: 1 } },
      { remove: 7 },
      { remove: "\ud800" },
    ],
  },
};

describe.each(Object.entries(crdtsByName()))("the built-in %s", (name, resolver) => {
  const { operations, refused } = OPERATIONS[name] ?? { operations: [], refused: [] };
  const suite = crdtConformance({ resolver, operations, refusedOperations: refused });
  test.each(suite.cases)("$name", ({ run }) => run());

  test("names the operation that it refuses, and those that there are", () => {
    expect(() => resolver.checkOperation({ frobnicate: 1 })).toThrow(
      /^\{"frobnicate":1\} is no operation of .+; allowed: \{ .+ \}$/,
    );
  });
});

function bindMap<State, Op, Value>(
  title: string,
  nested: CrdtResolver<State, Op, Value>,
  operations: readonly Op[],
): void {
  describe(title, () => {
    const suite = crdtConformance({
      resolver: orMap(nested),
      operations: [
        ...operations.map((operation) => ({ update: { key: "a", operation } })),
        { remove: "a" },
        ...operations.map((operation) => ({ update: { key: "b", operation } })),
      ],
      refusedOperations: [{ update: { key: "a", operation: "x" } }],
    });
    test.each(suite.cases)("$name", ({ run }) => run());
  });
}

bindMap("a map of sets", orSet<string>(), [{ add: "x" }, { remove: "x" }, { add: "y" }]);
bindMap("a map of counters", pnCounter(), [{ increment: 3 }, { decrement: 1 }]);
bindMap("a map of maps", orMap(gCounter()), [
  { update: { key: "n", operation: { increment: 1 } } },
  { remove: "n" },
]);

function bindResolver(resolver: Resolver<never>, values: readonly unknown[]): void {
  describe(`the resolver ${resolver.name}`, () => {
    const suite = resolverConformance({
      resolver: resolver as unknown as Resolver,
      values,
      encode: encodeValue,
    });
    test.each(suite.cases)("$name", ({ run }) => run());
  });
}

const { lww, "version-vector": versionVector, union } = resolversByName();
bindResolver(lww as Resolver<never>, ["left", { right: 1 }, null]);
bindResolver(versionVector as Resolver<never>, ["left", { right: 1 }, null]);
bindResolver(union as Resolver<never>, [["milk"], ["eggs", "milk"], []]);
bindResolver(union as Resolver<never>, [{ items: [1] }, { items: [2], note: "x" }, { items: [] }]);
bindResolver(merge<number>((values) => Math.max(...values)) as Resolver<never>, [3, 1, 2]);
