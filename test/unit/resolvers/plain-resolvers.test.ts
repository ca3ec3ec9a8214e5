import { describe, expect, test } from "vitest";
import type { Resolver, ResolverVersion } from "../../../src/core/contracts/resolver.ts";
import { lww } from "../../../src/resolvers/lww.ts";
import { merge } from "../../../src/resolvers/merge.ts";
import { union, unionOfItems } from "../../../src/resolvers/union-of-items.ts";
import { versionVector } from "../../../src/resolvers/version-vector.ts";

type Stamp = readonly [wallMs: number, counter: number, actor: string];

function version(value: unknown, [wallMs, counter, actor]: Stamp): ResolverVersion {
  return { value, wallMs, counter, actor };
}

function resolved(resolver: Resolver, ...versions: readonly ResolverVersion[]): unknown {
  const resolution = resolver.resolve(versions);
  return resolution.type === "value" ? resolution.value : "siblings";
}

describe("lww", () => {
  test.each<[string, Stamp, Stamp]>([
    ["the later time", [2, 0, "a"], [1, 9, "b"]],
    ["the greater counter of one time", [1, 1, "a"], [1, 0, "b"]],
    ["the greater actor of one stamp", [1, 1, "b"], [1, 1, "a"]],
  ])("takes %s, in both orders", (_what, winner, loser) => {
    const [kept, lost] = [version("kept", winner), version("lost", loser)];
    expect(resolved(lww(), kept, lost)).toBe("kept");
    expect(resolved(lww(), lost, kept)).toBe("kept");
  });

  test("takes the greater bytes where everything else is equal", () => {
    const [one, two] = [version({ a: 1 }, [1, 1, "a"]), version({ a: 2 }, [1, 1, "a"])];
    expect(resolved(lww(), one, two)).toEqual({ a: 2 });
    expect(resolved(lww(), two, one)).toEqual({ a: 2 });
  });
});

test("version-vector keeps what is concurrent apart", () => {
  expect(resolved(versionVector(), version(1, [1, 0, "a"]), version(1, [2, 0, "b"]))).toBe(
    "siblings",
  );
});

describe("merge", () => {
  const shown = merge<unknown>((values, versions) => [...values, versions.length]);

  test("gives the application the values, oldest first, and each write once", () => {
    const [a, b, c] = [
      version("a", [1, 0, "z"]),
      version("b", [2, 0, "a"]),
      version("c", [2, 0, "b"]),
    ];
    expect(resolved(shown, c, a, b, a)).toEqual(["a", "b", "c", 3]);
  });

  test("leaves alone what one write left", () => {
    const only = version("a", [1, 0, "z"]);
    expect(resolved(shown, only, only)).toBe("a");
  });

  test("passes on what the application throws, for whoever keeps the versions apart then", () => {
    const thrower = merge(() => {
      throw new RangeError("mine");
    });
    expect(() => resolved(thrower, version(1, [1, 0, "a"]), version(2, [1, 0, "b"]))).toThrow(
      RangeError,
    );
  });

  test("has the name that it is given, and needs a function", () => {
    expect(merge(() => 1, { name: "carts" }).name).toBe("carts");
    expect(() => merge("union" as never)).toThrow("merge takes a function of the values to merge");
  });
});

describe("the union of items", () => {
  test("of two carts has what either has, each once", () => {
    const [milk, eggs] = [{ sku: "milk", count: 1 }, { sku: "eggs" }];
    const versions = [
      version({ items: [milk], note: "old" }, [1, 0, "a"]),
      version({ note: "new", items: [eggs, { count: 1, sku: "milk" }] }, [2, 0, "b"]),
    ];
    expect(resolved(union(), ...versions)).toEqual({ note: "new", items: [eggs, milk] });
    expect(resolved(union(), ...versions.toReversed())).toEqual({
      note: "new",
      items: [eggs, milk],
    });
  });

  test("of lists is a list", () => {
    expect(unionOfItems([["b", "a"], ["a", "c"], []])).toEqual(["a", "b", "c"]);
  });

  test("of anything else is refused, with what has items", () => {
    expect(() => unionOfItems([["a"], { item: 1 }])).toThrow(
      "an object has no items to unite; a value is a list, or an object with a list items",
    );
  });
});
