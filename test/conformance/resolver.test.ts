import { describe, expect, test } from "vitest";
import { type ResolverHarness, resolverConformance } from "../../src/conformance/resolver.ts";
import { type CrdtHarness, crdtConformance } from "../../src/conformance/resolver-crdt.ts";
import {
  type CrdtResolver,
  RETIRED_ACTOR,
  type Resolver,
  type ResolverVersion,
} from "../../src/core/contracts/resolver.ts";
import { actorEnd } from "../../src/core/model/actor-name.ts";
import { CapstanError } from "../../src/core/model/errors.ts";
import { bindSuite, failureOf } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";

type Version = ResolverVersion<string>;

function isNewer(a: Version, b: Version): boolean {
  if (a.wallMs !== b.wallMs) return a.wallMs > b.wallMs;
  if (a.counter !== b.counter) return a.counter > b.counter;
  return a.actor > b.actor;
}

/** Small, and right: what the suites are shown to pass over until the real ones come. */
const LAST_WRITER_WINS: Resolver<string> = {
  name: "lww",
  capabilities: { joinsAt: "replica", siblings: false, operations: false },
  resolve: (versions) => {
    const winner = versions.reduce((best, each) => (isNewer(each, best) ? each : best));
    return { type: "value", value: winner.value };
  },
};

const KEEP_ALL: Resolver<string> = {
  name: "siblings",
  capabilities: { joinsAt: "read", siblings: true, operations: false },
  resolve: () => ({ type: "siblings" }),
};

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function harnessOf(resolver: Resolver<string>): ResolverHarness<string> {
  return { resolver, values: ["left", "right", "middle"], encode };
}

bindSuite("a last-writer-wins resolver", resolverConformance(harnessOf(LAST_WRITER_WINS)));
bindSuite("a resolver that keeps siblings", resolverConformance(harnessOf(KEEP_ALL)));

type Resolve = Resolver<string>["resolve"];

const value = (text: string): ReturnType<Resolve> => ({ type: "value", value: text });
const winnerOf: Resolve = LAST_WRITER_WINS.resolve;
const winningValue = (versions: readonly Version[]): string => {
  const winner = winnerOf(versions);
  return winner.type === "value" ? winner.value : "";
};

const DEFECTS: Readonly<Record<string, readonly [() => Resolve, string]>> = {
  "keeps siblings though it says that it has none": [
    () => () => ({ type: "siblings" }),
    "the answer is a value, or siblings where the capabilities say so",
  ],
  "counts how often it was asked": [
    () => {
      let count = 0;
      return (versions) => value(`${winningValue(versions)}${count++}`);
    },
    "resolve is deterministic to the byte",
  ],
  "takes the first of versions with one time": [
    () => (versions) =>
      value(versions.reduce((best, each) => (each.wallMs > best.wallMs ? each : best)).value),
    "resolve is commutative",
  ],
  "adds versions up": [
    () => (versions) =>
      value(
        versions
          .map((each) => each.value)
          .sort()
          .join("+"),
      ),
    "resolve is idempotent: a version that comes twice changes nothing",
  ],
  "takes the middle one": [
    () => (versions) => {
      const values = [...new Set(versions.map((each) => each.value))].sort();
      return value(values[Math.floor(values.length / 2)] as string);
    },
    "resolve is associative: in steps as at once",
  ],
  "sorts the versions that it was given": [
    () => (versions) => {
      (versions as Version[]).sort((a, b) => (isNewer(a, b) ? -1 : 1));
      return value((versions[0] as Version).value);
    },
    "resolve does not change what it is given",
  ],
};

describe("the Resolver suite notices a resolver that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [make, caseName]) => {
    const broken = { ...LAST_WRITER_WINS, resolve: make() };
    await failureOf(resolverConformance(harnessOf(broken)), caseName);
  });
});

test("every case of the Resolver suite is proven by a defect", () => {
  const { cases } = resolverConformance(harnessOf(LAST_WRITER_WINS));
  const proven = new Set(Object.values(DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});

/** A grow-only counter: actor → greatest count. */
type Counts = Readonly<Record<string, { readonly upTo: number; readonly sum: number }>>;
type Counter = CrdtResolver<Counts, number, number>;

function sorted(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isOver(actor: string, upTo: number): boolean {
  return actor === RETIRED_ACTOR || actorEnd(actor) <= upTo;
}

const COUNTER: Counter = {
  name: "g-counter",
  capabilities: { joinsAt: "replica", siblings: false, operations: true },
  resolve: (versions) => ({
    type: "value",
    value: versions.map((each) => each.value).reduce((a, b) => COUNTER.join(a, b)),
  }),
  initial: () => ({}),
  mutate: (state, by, { actor, counter }) => {
    const sum = (state[actor]?.sum ?? 0) + by;
    return sorted({ ...state, [actor]: { upTo: counter, sum } });
  },
  join: (a, b) => {
    const base = Math.max(a[RETIRED_ACTOR]?.upTo ?? 0, b[RETIRED_ACTOR]?.upTo ?? 0);
    const joined: Record<string, Counts[string]> = {};
    for (const [actor, theirs] of [...Object.entries(a), ...Object.entries(b)]) {
      const isHeld = actor === RETIRED_ACTOR ? theirs.upTo < base : isOver(actor, base);
      if (!isHeld && theirs.upTo > (joined[actor]?.upTo ?? 0)) joined[actor] = theirs;
    }
    return sorted(joined);
  },
  value: (state) => Object.values(state).reduce((sum, each) => sum + each.sum, 0),
  delta: (state, by, dot) => {
    const actor = COUNTER.mutate(state, by, dot)[dot.actor];
    return actor === undefined ? undefined : { [dot.actor]: actor };
  },
  retireActors: (state, upTo) => {
    if (upTo <= (state[RETIRED_ACTOR]?.upTo ?? 0)) return state;
    const rest: Record<string, Counts[string]> = {};
    let sum = 0;
    for (const [actor, each] of Object.entries(state)) {
      if (isOver(actor, upTo)) sum += each.sum;
      else rest[actor] = each;
    }
    return sorted({ ...rest, [RETIRED_ACTOR]: { upTo, sum } });
  },
  checkOperation: (operation) => {
    if (typeof operation === "number" && operation > 0) return operation;
    throw new CapstanError("INVALID_ARGUMENT", `${String(operation)} is not a number above 0`);
  },
};

function crdtHarness(resolver: Counter): CrdtHarness<Counts, number, number> {
  return { resolver, operations: [1, 2, 5], refusedOperations: [-1, "1", undefined] };
}

bindSuite("a grow-only counter", crdtConformance(crdtHarness(COUNTER)));

const CRDT_DEFECTS: Readonly<Record<string, readonly [Partial<Counter>, string]>> = {
  "prefers its own side": [{ join: (a, b) => sorted({ ...b, ...a }) }, "join is commutative"],
  "rounds while it joins": [
    {
      join: (a, b) => {
        const joined = COUNTER.join(a, b);
        const total = COUNTER.value(a) - COUNTER.value(b);
        return sorted({ ...joined, z: { upTo: 0, sum: Math.abs(total) } });
      },
    },
    "join is associative",
  ],
  "adds up what it joins": [
    {
      join: (a, b) => {
        const joined = COUNTER.join(a, b);
        const both = Object.keys(joined).filter((actor) => actor in a && actor in b);
        const added = both.map((actor) => [
          actor,
          { upTo: joined[actor]?.upTo ?? 0, sum: (a[actor]?.sum ?? 0) + (b[actor]?.sum ?? 0) },
        ]);
        return sorted({ ...joined, ...Object.fromEntries(added) });
      },
    },
    "join is idempotent",
  ],
  "begins with something else each time": [
    {
      initial: (() => {
        let count = 0;
        return () => ({ [`start${count++}`]: { upTo: 1, sum: 1 } });
      })(),
    },
    "the initial state adds nothing to a join",
  ],
  "knows the order in which it heard": [
    {
      join: (a, b) => {
        const { order: _a, ...ours } = a;
        const { order: _b, ...theirs } = b;
        const sum = (a.order?.sum ?? 0) * 2 + (b.order?.sum ?? 0) + COUNTER.value(ours);
        return { ...COUNTER.join(ours, theirs), order: { upTo: 0, sum } };
      },
    },
    "replicas that heard of everything are equal, in whatever order they did",
  ],
  "forgets the others when it mutates": [
    {
      mutate: (state, by, dot) => ({
        [dot.actor]: { upTo: dot.counter, sum: by + (state[dot.actor]?.sum ?? 0) },
      }),
    },
    "mutate is deterministic, and its state holds what was there before",
  ],
  "changes the state that it is given": [
    {
      mutate: (state, by, { actor, counter }) =>
        Object.assign(state, { [actor]: { upTo: counter, sum: (state[actor]?.sum ?? 0) + by } }),
    },
    "mutate, join and value do not change what they are given",
  ],
  "gives the operation alone as a delta": [
    { delta: (_state, by, { actor, counter }) => ({ [actor]: { upTo: counter, sum: by + 0.5 } }) },
    "a delta, where there is one, brings what the mutation brought",
  ],
  "makes something up where a delta is missing": [
    {
      // A later delta that comes to one who has heard nothing of its actor leaves a trace.
      join: (a, b) => {
        const joined = COUNTER.join(a, b);
        const [name = "", ...others] = Object.keys(b);
        const isAlone = others.length === 0 && name.startsWith("d4") && a[name] === undefined;
        const isLate = isAlone && (b[name]?.upTo ?? 0) > 1;
        return isLate ? { ...joined, e5: { upTo: 1, sum: 1 } } : joined;
      },
    },
    "a delta does no harm that comes early, late or twice",
  ],
  "loses what retired actors counted": [
    {
      retireActors: (state, upTo) =>
        Object.fromEntries(Object.entries(state).filter(([actor]) => !isOver(actor, upTo))),
    },
    "names of actors that have ended go, and the value stays",
  ],
  "knows its states by their identity": [
    {
      value: (() => {
        const seen = new Map<Counts, number>();
        return (state: Counts) => {
          if (!seen.has(state)) seen.set(state, seen.size);
          return seen.get(state) ?? 0;
        };
      })(),
    },
    "a state that was encoded and decoded goes on as the one that it was",
  ],
  "resolves to the first state": [
    { resolve: (versions) => ({ type: "value", value: versions[0]?.value ?? {} }) },
    "resolve joins states",
  ],
  "takes every operation": [
    { checkOperation: (operation) => operation as number },
    "checkOperation takes every operation, and refuses the others with a fault",
  ],
  "says that it joins at reads": [
    { capabilities: { joinsAt: "read", siblings: false, operations: true } },
    "the capabilities say that it joins at the replica and takes operations",
  ],
};

describe("the CrdtResolver suite notices a CRDT that", () => {
  test.each(Object.entries(CRDT_DEFECTS))("%s", async (_what, [members, caseName]) => {
    const broken = withMembers(COUNTER, members);
    await failureOf(crdtConformance(crdtHarness(broken)), caseName);
  });
});

test("every case of the CrdtResolver suite is proven by a defect", () => {
  const { cases } = crdtConformance(crdtHarness(COUNTER));
  const proven = new Set(Object.values(CRDT_DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
