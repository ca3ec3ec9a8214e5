import { expect, test } from "vitest";
import type { CrdtResolver } from "../../../../src/core/contracts/resolver.ts";
import { actorEnd } from "../../../../src/core/model/actor-name.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import type { ActorSums } from "../../../../src/resolvers/crdt/actor-sums.ts";
import { gCounter, pnCounter } from "../../../../src/resolvers/crdt/counters.ts";
import { flag } from "../../../../src/resolvers/crdt/flag.ts";
import { gSet } from "../../../../src/resolvers/crdt/g-set.ts";
import { lwwRegister } from "../../../../src/resolvers/crdt/lww-register.ts";
import { mvRegister } from "../../../../src/resolvers/crdt/mv-register.ts";
import { type OrMapState, orMap } from "../../../../src/resolvers/crdt/or-map.ts";
import {
  type OrSetState,
  orSet,
  type SetOperation,
} from "../../../../src/resolvers/crdt/or-set.ts";
import * as models from "../../../support/crdt-models.ts";
import { type CrdtModel, CrdtScript, type CrdtUnderTest } from "../../../support/crdt-script.ts";

// `npm run test:crdt` runs a million in all; CAPSTAN_SCRIPTS=1 CAPSTAN_SEED=n is the one that a
// failure named.
const SCRIPTS = Number(process.env.CAPSTAN_SCRIPTS ?? 1_500);
const FIRST_SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const LONG_MS = 3_600_000;

const SETS = [{ add: "x" }, { remove: "x" }, { add: "y" }, { remove: "y" }, { add: [1n, "x"] }];
const inKey = (key: string) => (operation: unknown) => ({ update: { key, operation } });

const COUNTS = [
  ...[{ increment: 1 }, { increment: 10 }, { decrement: 3 }].map(inKey("a")),
  ...[{ increment: 1 }, { remove: "a" }].map((each) =>
    "remove" in each ? each : inKey("b")(each),
  ),
];

const CASES: readonly (readonly [object, CrdtModel, unknown[]])[] = [
  [gCounter(), models.COUNTER_MODEL, [{ increment: 1 }, { increment: 10 }]],
  [pnCounter(), models.COUNTER_MODEL, [{ increment: 1 }, { decrement: 10 }]],
  [gSet(), models.G_SET_MODEL, [{ add: "x" }, { add: 1 }, { add: { x: [null] } }, { add: "é" }]],
  [orSet(), models.OR_SET_MODEL, SETS],
  [lwwRegister(), models.LWW_REGISTER_MODEL, [{ set: 1 }, { set: "x" }, { set: { y: 2 } }]],
  [mvRegister(), models.MV_REGISTER_MODEL, [{ set: 1 }, { set: "x" }, { set: { y: 2 } }]],
  [flag(), models.FLAG_MODEL, [{ enable: true }, { disable: true }]],
  [
    orMap(orSet()),
    models.OR_MAP_MODEL,
    [...SETS.map(inKey("a")), ...SETS.map(inKey("b")), { remove: "a" }, { remove: "b" }],
  ],
  [orMap(pnCounter()), models.COUNTER_MAP_MODEL, COUNTS],
];

function problemIn(
  crdt: CrdtUnderTest,
  scripts: number,
  onDone: (script: CrdtScript) => void = () => undefined,
): string | undefined {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + scripts; seed += 1) {
    const script = new CrdtScript(crdt, seed);
    const problem = script.run();
    onDone(script);
    if (problem !== undefined) return `CAPSTAN_SCRIPTS=1 CAPSTAN_SEED=${seed}: ${problem}`;
  }
  return undefined;
}

test.each(CASES.map(([resolver, model, operations]) => ({ resolver, model, operations })))(
  "random histories of $resolver.name are what the model says, on every replica",
  ({ resolver, model, operations }) => {
    const crdt = { resolver: resolver as CrdtResolver, model, operations };
    let retirements = 0;
    const problem = problemIn(crdt, SCRIPTS, (script) => {
      retirements += script.retirements;
    });
    expect(problem).toBeUndefined();
    if (crdt.resolver.retireActors !== undefined && SCRIPTS > 100) {
      expect(retirements).toBeGreaterThan(SCRIPTS / 5);
    }
  },
  LONG_MS,
);

type Set = CrdtResolver<OrSetState, SetOperation, unknown[]>;
const SET: Set = orSet();

/** The whole history of an actor, though only one dot of it came. */
const fromTheStart = ({ context, entries }: OrSetState): OrSetState => ({
  context: context.map(([actor, , upTo]) => [actor, 0, upTo]),
  entries,
});

const DEFECTS: Readonly<Record<string, Partial<Set>>> = {
  "takes a delta for all that its actor did": {
    delta: (state, operation, dot) =>
      fromTheStart(SET.delta?.(state, operation, dot) ?? SET.initial()),
    join: (a, b) => SET.join(fromTheStart(a), fromTheStart(b)),
  },
  "keeps the dots that an addition replaces": {
    mutate: (state, operation, dot) => {
      const mutated = SET.mutate(state, operation, dot);
      if ("remove" in operation) return mutated;
      const before = state.entries.find(([element]) => element === operation.add)?.[1] ?? [];
      const entries = mutated.entries.map(([element, dots]): OrSetState["entries"][number] =>
        element === operation.add
          ? [element, [...dots, ...before].toSorted(([a], [b]) => (a < b ? -1 : 1))]
          : [element, dots],
      );
      return { context: mutated.context, entries };
    },
  },
  "brings back what was removed": {
    join: (a, b) => {
      const { entries } = SET.join({ ...a, context: [] }, { ...b, context: [] });
      return { context: SET.join(a, b).context, entries };
    },
  },
  "forgets what a removal has seen": {
    mutate: (state, operation, dot) => {
      const mutated = SET.mutate(state, operation, dot);
      if ("add" in operation || mutated === state) return mutated;
      return { context: mutated.context.slice(1), entries: mutated.entries };
    },
  },
  "removes what it did not see": {
    delta: (state, operation, dot) => {
      const delta = SET.delta?.(state, operation, dot) ?? SET.initial();
      if ("add" in operation) return delta;
      return { context: SET.join(state, delta).context, entries: [] };
    },
  },
};

test.each(Object.entries(DEFECTS))("they find a set that %s", (_what, members) => {
  const resolver = { ...SET, ...members } as CrdtResolver;
  const crdt = { resolver, model: models.OR_SET_MODEL, operations: SETS };
  expect(problemIn(crdt, 500)).toMatch(/^CAPSTAN_SCRIPTS=1 CAPSTAN_SEED=\d+: /);
});

const COUNTER = pnCounter();
const COUNT_MAP = orMap(pnCounter());
/** Above the end of every actor. */
const FAR = hybridTimeOf(Date.UTC(2090, 0, 1));

const RETIRING_DEFECTS: Readonly<Record<string, readonly [object, CrdtModel, unknown[]]>> = {
  "set that forgets ended actors, and not that it has seen them": [
    {
      ...SET,
      retireActors: ({ context, entries }: OrSetState, upTo: number) => ({
        context: context.filter(([actor]) => actorEnd(actor) > upTo),
        entries,
      }),
    },
    models.OR_SET_MODEL,
    SETS,
  ],
  "set that lets go of what ended actors added": [
    {
      ...SET,
      retireActors: (state: OrSetState, upTo: number) => {
        const { context, entries } = SET.retireActors?.(state, upTo) ?? state;
        const kept = entries.filter(([, dots]) => dots.some(([actor]) => actorEnd(actor) > upTo));
        return { context, entries: kept };
      },
    },
    models.OR_SET_MODEL,
    SETS,
  ],
  "set that takes all that it has not seen of an actor for seen when it ends": [
    { ...SET, retireActors: (state: OrSetState) => SET.retireActors?.(state, FAR) ?? state },
    models.OR_SET_MODEL,
    SETS,
  ],
  "counter that adds what it has folded already": [
    {
      ...COUNTER,
      join: (a: ActorSums, b: ActorSums) =>
        COUNTER.join(
          a,
          b.filter(([actor]) => actor !== ""),
        ),
    },
    models.COUNTER_MODEL,
    [{ increment: 1 }, { decrement: 10 }],
  ],
  "map that folds the counters in its keys": [
    {
      ...orMap(pnCounter()),
      retireActors: ({ context, entries }: OrMapState<ActorSums>, upTo: number) => ({
        context: COUNT_MAP.retireActors?.({ context, entries: [] }, upTo).context ?? context,
        entries: entries.map(([key, list]) => [
          key,
          list.map(([actor, counter, sums]) => [
            actor,
            counter,
            sums.length < 2 ? sums : [["", upTo, COUNTER.value(sums)]],
          ]),
        ]),
      }),
    },
    models.COUNTER_MAP_MODEL,
    COUNTS,
  ],
};

test.each(Object.entries(RETIRING_DEFECTS))(
  "they find a %s",
  (_what, [resolver, model, operations]) => {
    const crdt = { resolver: resolver as CrdtResolver, model, operations };
    expect(problemIn(crdt, 1_000)).toMatch(/^CAPSTAN_SCRIPTS=1 CAPSTAN_SEED=\d+: /);
  },
);

type Counts = OrMapState<ActorSums>;
/** The map of the literature: a key in both states is the join of its states, removed parts too. */
function joinShared(a: Counts, b: Counts): Counts {
  const { context, entries } = COUNT_MAP.join(a, b);
  const statesOf = ({ entries: of }: Counts, key: string): readonly ActorSums[] =>
    of.filter(([each]) => each === key).flatMap(([, list]) => list.map(([, , state]) => state));
  return {
    context,
    entries: entries.map(([key, list]) => {
      const shared = [...statesOf(a, key), ...statesOf(b, key)].reduce(pnCounter().join);
      return [key, list.map(([actor, counter]) => [actor, counter, shared])];
    }),
  };
}

test("they find a map that shares a key's state between a removal and an update", () => {
  const resolver = { ...COUNT_MAP, join: joinShared } as CrdtResolver;
  const crdt = { resolver, model: models.COUNTER_MAP_MODEL, operations: COUNTS };
  expect(problemIn(crdt, 500)).toMatch(/^CAPSTAN_SCRIPTS=1 CAPSTAN_SEED=\d+: /);
});

test("a dot that is used twice is noticed, where the state knows", () => {
  const dot = { actor: "a", counter: 5, time: 0 };
  const set = SET.mutate(SET.initial(), { add: "x" }, dot);
  expect(() => SET.mutate(set, { add: "y" }, dot)).toThrow(
    "a dot of actor a counts 5, not above its last, 5",
  );
  const sum = pnCounter().mutate([], { increment: 1 }, dot);
  expect(() => pnCounter().mutate(sum, { increment: 1 }, { ...dot, counter: 4 })).toThrow(
    "a dot of actor a counts 4, not above its last, 5",
  );
});
