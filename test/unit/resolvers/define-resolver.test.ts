import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { defineResolver } from "../../../src/resolvers/define-resolver.ts";
import { checkResolverLaws } from "../../../src/resolvers/laws/check-resolver-laws.ts";

/** The greatest number that anybody set. */
const definition = {
  name: "maximum",
  initial: () => 0,
  mutate: (state: number, operation: { readonly raise: number }) =>
    Math.max(state, operation.raise),
  join: (a: number, b: number) => Math.max(a, b),
  value: (state: number) => state,
  checkOperation: (operation: unknown) => {
    const { raise } = operation as { readonly raise?: unknown };
    if (typeof raise === "number") return { raise };
    throw new CapstanError("INVALID_ARGUMENT", `${String(raise)} is no number`);
  },
};

describe("a CRDT of one's own", () => {
  test("is made of its functions alone", () => {
    const maximum = defineResolver(definition);
    expect(maximum.capabilities).toEqual({ joinsAt: "replica", siblings: false, operations: true });
    const versions = [3, 9, 4].map((value) => ({ value, wallMs: 0, counter: 0, actor: "a" }));
    expect(maximum.resolve(versions)).toEqual({ type: "value", value: 9 });
    expect(checkResolverLaws(maximum, { operations: [{ raise: 1 }, { raise: 7 }] }).ok).toBe(true);
    expect(Object.isFrozen(maximum)).toBe(true);
  });

  test.each(["initial", "mutate", "value", "checkOperation"])("needs %s", (member) => {
    const { [member as "initial"]: _gone, ...rest } = definition;
    expect(() => defineResolver(rest as typeof definition)).toThrow(
      `a resolver's ${member} is undefined; allowed: a function`,
    );
  });

  test("is refused with a delta that is no function", () => {
    const wrong = { ...definition, delta: 5 as never };
    expect(() => defineResolver(wrong)).toThrow("a resolver's delta is 5; allowed: a function");
  });
});

describe("a resolver of plain values", () => {
  const resolve = () => ({ type: "siblings" }) as const;

  test("joins at reads and has no siblings unless it says so", () => {
    expect(defineResolver({ name: "mine", resolve }).capabilities).toEqual({
      ...{ joinsAt: "read", siblings: false, operations: false },
    });
    const chosen = defineResolver({ name: "mine", joinsAt: "replica", siblings: true, resolve });
    expect(chosen.capabilities).toMatchObject({ joinsAt: "replica", siblings: true });
  });

  test.each<[string, object, string]>([
    ["no name", { resolve }, "name is undefined; allowed: 1 to 64 of A-Z"],
    ["a name with a blank", { name: "my own", resolve }, 'name is "my own"; allowed: 1 to 64'],
    ["no resolve", { name: "mine" }, "a resolver's resolve is undefined; allowed: a function"],
    [
      "another member",
      { name: "mine", resolve, merge: resolve },
      'a resolver has no "merge"; allowed: name, joinsAt, siblings, resolve',
    ],
    [
      "another place to join",
      { name: "mine", resolve, joinsAt: "write" },
      'joinsAt of mine is "write"; allowed: "read", "replica"',
    ],
    [
      "siblings that are no truth value",
      { name: "mine", resolve, siblings: 1 },
      "siblings of mine is 1; allowed: true, false",
    ],
  ])("is refused with %s", (_what, wrong, message) => {
    expect(() => defineResolver(wrong as never)).toThrow(message);
  });

  test("is refused where there is no object at all", () => {
    expect(() => defineResolver("lww" as never)).toThrow('defined by an object, not by "lww"');
  });
});
