import { describe, expect, test } from "vitest";
import type { CrdtResolver, Resolver } from "../../../../src/core/contracts/resolver.ts";
import { gCounter } from "../../../../src/resolvers/crdt/counters.ts";
import { orSet } from "../../../../src/resolvers/crdt/or-set.ts";
import {
  type BrokenLaw,
  checkResolverLaws,
} from "../../../../src/resolvers/laws/check-resolver-laws.ts";
import { lww } from "../../../../src/resolvers/lww.ts";
import { merge } from "../../../../src/resolvers/merge.ts";
import { crdtsByName } from "../../../../src/resolvers/resolvers-by-name.ts";
import { unionOfItems } from "../../../../src/resolvers/union-of-items.ts";
import { versionVector } from "../../../../src/resolvers/version-vector.ts";

const AMOUNTS = [{ increment: 1 }, { increment: 2 }];

describe("the built-in resolvers keep the laws:", () => {
  const operations: Readonly<Record<string, readonly unknown[]>> = {
    "g-counter": AMOUNTS,
    "pn-counter": [...AMOUNTS, { decrement: 3 }],
    "g-set": [{ add: "x" }, { add: 1 }],
    "or-set": [{ add: "x" }, { add: "y" }, { remove: "x" }],
    "lww-register": [{ set: 1 }, { set: 2 }],
    "mv-register": [{ set: 1 }, { set: 2 }],
    flag: [{ enable: true }, { disable: true }],
    "or-map": [
      { update: { key: "a", operation: { "pn-counter": { increment: 1 } } } },
      { update: { key: "a", operation: { "or-set": { add: "x" } } } },
      { remove: "a" },
    ],
  };
  test.each(Object.entries(crdtsByName()))("%s", (name, resolver) => {
    const report = checkResolverLaws(resolver, { operations: operations[name] ?? [] });
    expect(report).toMatchObject({ ok: true, runs: 500, broken: [] });
    expect(report.text).toBe(`${name} kept ${report.laws.length} laws over 500 examples.`);
  });

  test.each([
    ["lww", 7, lww(), [1, 2, 2, "x"]],
    ["version-vector", 6, versionVector(), [1, 2]],
    ["merge", 6, merge(unionOfItems), [["milk"], ["eggs", "milk"], { items: ["x"] }, []]],
  ] as const)("%s keeps %i laws", (_name, laws, resolver, values) => {
    const { ok, laws: kept } = checkResolverLaws(resolver, { values });
    expect({ ok, laws: kept.length }).toEqual({ ok: true, laws });
  });
});

function brokenBy(members: Partial<CrdtResolver>): readonly BrokenLaw[] {
  const resolver = { ...(gCounter() as CrdtResolver), ...members };
  return checkResolverLaws(resolver, { operations: AMOUNTS }).broken;
}

describe("a CRDT that breaks a law is told so, with an example of which nothing can be left out:", () => {
  const counter = gCounter() as CrdtResolver;
  type Sums = readonly (readonly [string, number, number])[];

  test("a join that adds up", () => {
    const join = (a: unknown, b: unknown): unknown => {
      const joined = counter.join(a, b) as Sums;
      const both = (a as Sums).filter(([actor]) => (b as Sums).some(([other]) => other === actor));
      return joined.map(([actor, upTo, sum]) => [actor, upTo, sum + both.length]);
    };
    const broken = brokenBy({ join });
    expect(broken.map(({ law }) => law)).toContain("join is idempotent");
    const idempotent = broken.find(({ law }) => law === "join is idempotent");
    expect(idempotent?.example).toEqual([expect.stringMatching(/^[abc]: \{"increment":[12]\}$/)]);
    expect(idempotent?.problem).toMatch(/is: .+, not \[\[|^again: .+, not \[\[/);
  });

  test.each<[string, Partial<CrdtResolver>, string]>([
    [
      "a join that prefers its own",
      { join: (a, b) => ((a as Sums).length > 0 ? a : b) },
      "join is commutative",
    ],
    [
      "an initial state of its own each time",
      {
        initial: (() => {
          let count = 0;
          return () => {
            count += 1;
            return [["z", count, count]];
          };
        })(),
      },
      "the initial state adds nothing",
    ],
    [
      "a mutation that forgets",
      { mutate: (_state, operation, dot) => counter.mutate([], operation, dot) },
      "mutate keeps what was there, and is deterministic",
    ],
    ["a delta of nothing", { delta: () => [] }, "a delta brings what the mutation brought"],
    [
      "a retirement that loses",
      { retireActors: (state) => (state as Sums).filter(([actor]) => !actor.startsWith("a")) },
      "names of ended actors go, and the value stays",
    ],
    ["a state that is no value", { initial: () => new Map() }, "join is commutative"],
    [
      "operations that it refuses",
      {
        checkOperation: () => {
          throw new Error("never");
        },
      },
      "checkOperation takes what clients send",
    ],
    [
      "a value by identity",
      {
        value: (() => {
          const seen: unknown[] = [];
          return (state: unknown) => seen.push(state);
        })(),
      },
      "equal states have equal values",
    ],
    [
      "a mutation in place",
      {
        initial: () => ({ sums: [] }),
        join: (a) => a,
        mutate: (state, operation, dot) => {
          const box = state as { sums: unknown };
          box.sums = counter.mutate(box.sums, operation, dot);
          return box;
        },
        value: () => 0,
      },
      "nothing changes what it is given",
    ],
  ])("%s", (_what, members, law) => {
    const broken = brokenBy(members);
    expect(broken.map((each) => each.law).join("; ")).toContain(law);
  });

  test("and a set whose deltas claim too much", () => {
    const set = orSet<string>() as CrdtResolver;
    const delta: NonNullable<CrdtResolver["delta"]> = (state, operation, dot) => {
      const honest = set.delta?.(state, operation, dot) as { context: [string, number, number][] };
      return { ...honest, context: honest.context.map(([actor, , upTo]) => [actor, 0, upTo]) };
    };
    const operations = [{ add: "x" }, { add: "y" }];
    const { broken, text } = checkResolverLaws({ ...set, delta }, { operations });
    expect(broken.map(({ law }) => law)).toContain(
      "a delta does no harm that comes early, late, twice or not at all",
    );
    expect(text).toMatch(/^or-set broke \d of 12 laws:\n {2}a delta .+: broken \(seed \d+\)\n/);
  });
});

describe("a resolver of plain values is told", () => {
  const broken = (resolve: Resolver["resolve"], values: readonly unknown[]): string[] =>
    checkResolverLaws({ ...lww(), resolve }, { values }).broken.map(({ law }) => law);

  test.each<[string, Resolver["resolve"], string]>([
    [
      "that it takes the first",
      ([first]) => ({ type: "value", value: first?.value }),
      "resolve is commutative",
    ],
    [
      "that it adds up",
      (versions) => ({
        type: "value",
        value: versions.reduce((sum, { value }) => sum + Number(value), 0),
      }),
      "resolve is idempotent",
    ],
    [
      "that it takes the mean",
      (versions) => {
        const numbers = [...new Set(versions.map(({ value }) => Number(value)))];
        return { type: "value", value: numbers.reduce((a, b) => a + b, 0) / numbers.length };
      },
      "resolve is associative",
    ],
    ["that it keeps siblings", () => ({ type: "siblings" }), "the answer is a value, or siblings"],
    [
      "that it sorts what it was given",
      (versions) => {
        (versions as unknown as { value: number }[]).sort((a, b) => a.value - b.value);
        return { type: "value", value: versions[0]?.value };
      },
      "resolve does not change what it is given",
    ],
    [
      "that it is another one each time",
      (() => {
        let count = 0;
        return () => ({ type: "value", value: count++ }) as const;
      })(),
      "resolve is deterministic",
    ],
    [
      "what it throws",
      () => {
        throw new TypeError("no merge of numbers");
      },
      "resolve is commutative",
    ],
  ])("%s", (_what, resolve, law) => {
    expect(broken(resolve, [5, 1, 3, 9]).join("; ")).toContain(law);
  });

  test("that it says to keep the newest, and does not", () => {
    const first = merge<number>((values) => values[0] as number);
    const capabilities = { ...first.capabilities, keepsNewest: true };
    const { broken: laws } = checkResolverLaws({ ...first, capabilities }, { values: [1, 2, 3] });
    expect(laws.map(({ law }) => law)).toContain(
      "the answer is the newest version's value, as the capabilities say",
    );
  });

  test("with the fewest versions that show it", () => {
    const longest = merge<string>((values) =>
      values.reduce((a, b) => (a.length >= b.length ? a : b)),
    );
    const { broken: laws } = checkResolverLaws(longest, { values: ["ab", "cd", "e"] });
    expect(laws.map(({ example }) => example.length)).toEqual([3]);
    expect(laws[0]?.example[0]).toMatch(/^[abc] wrote "\w+" at \d ms \+ \d$/);
  });

  test("what it throws, in words", () => {
    const thrower = merge(() => {
      throw new TypeError("no");
    });
    const { broken: laws } = checkResolverLaws(thrower, { values: [1] });
    expect(laws[0]?.problem).toBe("it throws TypeError: no");
  });
});

describe("options", () => {
  test("draw by a function, the same from the same seed", () => {
    const drawn: number[][] = [[], []];
    for (const list of drawn) {
      checkResolverLaws(lww(), {
        values: (random) => {
          list.push(random.below(1000));
          return random.pick([1, 2]);
        },
        ...{ runs: 20, seed: 7 },
      });
    }
    expect(drawn[0]).toHaveLength(drawn[1]?.length ?? 0);
    expect(drawn[0]).toEqual(drawn[1]);
    expect(new Set(drawn[0]).size).toBeGreaterThan(10);
  });

  test.each([
    [orSet() as Resolver, {}, "to check a CRDT, give operations: a list that is not empty"],
    [lww(), { operations: [1] }, "to check a resolver of plain values, give values"],
    [lww(), { values: [] }, "give values: a list that is not empty, or a function"],
    [lww(), { values: [1], runs: 0 }, "runs is 0; allowed: a whole number from 1 to 10000000"],
    [lww(), { values: [1], seed: -1 }, "seed is -1; allowed: a whole number from 0 to 4294967295"],
  ])("that leave nothing to draw from are refused", (resolver, options, message) => {
    expect(() => checkResolverLaws(resolver, options)).toThrow(message);
  });

  test("may be left out, which leaves nothing to draw from either", () => {
    expect(() => checkResolverLaws(lww())).toThrow(
      "to check a resolver of plain values, give values",
    );
  });
});

test.each([[{}], [null], ["lww"], [undefined]])("%j is no resolver, and refused", (wrong) => {
  const check = () => checkResolverLaws(wrong as unknown as Resolver, { values: [1] });
  expect(check).toThrow("checkResolverLaws takes a resolver, as of defineResolver, not ");
});
