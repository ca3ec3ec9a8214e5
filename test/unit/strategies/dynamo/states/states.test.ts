import { describe, expect, test } from "vitest";
import type { CrdtResolver } from "../../../../../src/core/contracts/resolver.ts";
import { actorName } from "../../../../../src/core/model/actor-name.ts";
import { hybridTimeOf, wallMsOf } from "../../../../../src/core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../../../../src/core/model/values.ts";
import { gCounter, pnCounter } from "../../../../../src/resolvers/crdt/counters.ts";
import { flag } from "../../../../../src/resolvers/crdt/flag.ts";
import { gSet } from "../../../../../src/resolvers/crdt/g-set.ts";
import { lwwRegister } from "../../../../../src/resolvers/crdt/lww-register.ts";
import { mvRegister } from "../../../../../src/resolvers/crdt/mv-register.ts";
import { orMap } from "../../../../../src/resolvers/crdt/or-map.ts";
import { orSet } from "../../../../../src/resolvers/crdt/or-set.ts";
import {
  CausalContext,
  type TimedDot,
} from "../../../../../src/strategies/dynamo/causal-context.ts";
import {
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  NOTHING,
} from "../../../../../src/strategies/dynamo/dotted-record.ts";
import {
  makeDottedRules,
  mergeRecords,
} from "../../../../../src/strategies/dynamo/dotted-rules.ts";
import {
  mint,
  type NamedOperation,
  operate,
  stateOf,
} from "../../../../../src/strategies/dynamo/mint.ts";
import type { PlantedDynamoBugs } from "../../../../../src/strategies/dynamo/planted-bugs.ts";
import { settlementOf } from "../../../../../src/strategies/dynamo/settlement.ts";
import type { StateDelta } from "../../../../../src/strategies/dynamo/states/state-delta.ts";
import { States } from "../../../../../src/strategies/dynamo/states/states.ts";
import { mergedOf } from "../../../../../src/strategies/leaderless/record-rules.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";

const LONG_MS = 60_000;
const KEY = Buffer.from("key");
const START = hybridTimeOf(Date.UTC(2026, 0, 1));
const items = Array.from({ length: 60 }, (_, at) => `item-${at}`);
const amounts = [1, 2, 7];
const CRDTS: readonly (readonly [CrdtResolver, readonly unknown[]])[] = [
  [
    orSet(),
    [...items, ...items]
      .map((add) => ({ add }))
      .concat(items.map((remove) => ({ remove })) as never),
  ],
  [gSet(), items.map((add) => ({ add }))],
  [gCounter(), amounts.map((increment) => ({ increment }))],
  [pnCounter(), [...amounts.map((increment) => ({ increment })), { decrement: 3 }]],
  [lwwRegister(), items.map((set) => ({ set }))],
  [mvRegister(), items.map((set) => ({ set }))],
  [flag(), [{ enable: true }, { disable: true }]],
  [
    orMap(gCounter()),
    [
      ...items.map((key) => ({ update: { key, operation: { increment: 1 } } })),
      ...items.slice(0, 20).map((remove) => ({ remove })),
    ],
  ],
] as never;

interface Copy {
  readonly states: States;
  readonly actor: { readonly high: number; readonly low: number };
  bytes: Uint8Array | undefined;
  counter: number;
  /** The state as it would be if no name ever went. */
  shadow: unknown;
}

/** An operation's delta, and the record that it has made. */
interface Parcel {
  readonly delta: StateDelta | undefined;
  readonly record: Uint8Array;
  readonly shadow: unknown;
}

/**
 * Three copies of a key. Every operation is repeated by `mint`, and every delta's joining by
 * joining the whole record, which know of no caches and no deltas.
 */
class World {
  deltas = 0;
  gaps = 0;
  /** Operations that came with a floor. */
  settled = 0;
  readonly #settles: boolean;
  readonly #events: TimedDot[] = [];
  /** No event begins any more with such a time or an earlier one. */
  #fence = START;
  readonly #resolver: CrdtResolver;
  readonly #operations: readonly unknown[];
  readonly #random: SeededRandom;
  readonly #copies: readonly Copy[];
  readonly #parcels: Parcel[] = [];

  constructor(
    [resolver, operations]: (typeof CRDTS)[number],
    seed: number,
    planted: PlantedDynamoBugs = {},
    settles = false,
  ) {
    this.#resolver = resolver;
    this.#operations = operations;
    this.#random = new SeededRandom(seed, resolver.name);
    this.#copies = [1, 2, 3].map((high) => ({
      states: new States(resolver, planted),
      actor: { high, low: seed },
      bytes: undefined,
      counter: 0,
      shadow: resolver.initial(),
    }));
    this.#settles = settles && resolver.retireActors !== undefined;
  }

  /** Says what is wrong; undefined if nothing is. */
  run(steps: number): string | undefined {
    for (let step = 0; step < steps; step++) {
      const copy = this.#copies[this.#below(3)] as Copy;
      const isOperation = this.#parcels.length === 0 || this.#below(100) < 40;
      const problem = isOperation ? this.#operate(copy) : this.#hear(copy);
      const differs = problem ?? this.#compare(copy);
      if (differs !== undefined) return `step ${step}: ${differs}`;
    }
    return undefined;
  }

  /** Copies that names have left are worth what they would be with them. */
  #compare(copy: Copy): string | undefined {
    const [state] = this.#settles ? heldOf(copy).record.states : [];
    if (state === undefined) return undefined;
    const [is, should] = [decodeValue(state), copy.shadow].map((each) =>
      encodeValue(this.#resolver.value(each)),
    );
    return Buffer.compare(is as Uint8Array, should as Uint8Array) === 0
      ? undefined
      : "not the value with all names";
  }

  /** What the copy knows all events up to; 0 now and then, as where no floor was found. */
  #floorOf(copy: Copy): number {
    if (!this.#settles || this.#below(2) === 0) return 0;
    const { context } = heldOf(copy).record;
    const unknown = this.#events.filter((dot) => !context.covers(dot, dot.time));
    const times = unknown.map(({ time }) => time - 1);
    const newest = Math.max(START, ...this.#events.map(({ time }) => time));
    const floor = Math.min(newest, ...times);
    this.#fence = Math.max(this.#fence, floor);
    if (floor > START) this.settled++;
    return floor;
  }

  #operate(copy: Copy): string | undefined {
    const value = encodeValue(this.#operations[this.#below(this.#operations.length)]);
    copy.counter += 1 + this.#below(2);
    const dot = { actor: copy.actor, counter: copy.counter };
    const held = heldOf(copy);
    const floor = this.#floorOf(copy);
    const time = Math.max(this.#fence, held.record.newestTime) + 1 + this.#below(50) * 4_096;
    const endsAtMs = this.#settles ? (Math.floor(wallMsOf(time) / 1_000) + 1) * 1_000 : undefined;
    const named = { value, dot, time, endsAtMs };
    const twin = this.#twinOf(held.record, named, floor);
    const operated = copy.states.operate(held, named, floor);
    if (twin === undefined || operated.type !== "operated") return "an operation is refused";
    const { keyed, encoded, delta } = operated;
    if (Buffer.compare(keyed.record, encodeRecord(twin)) !== 0) return "another record";
    // Now and then the step is taken back, and nothing of it is held.
    if (this.#below(20) === 0) {
      copy.states.keep(keyed, encoded);
      return undefined;
    }
    this.#hold(copy, keyed.record);
    copy.states.keep(keyed, encoded);
    this.#events.push({ ...dot, time });
    if (this.#settles) {
      const shadow = operate(
        this.#resolver,
        () => copy.shadow,
        named,
        (after) => after,
      );
      if (shadow.type === "made") copy.shadow = shadow.made;
    }
    this.#parcels.push({ delta, record: keyed.record, shadow: copy.shadow });
    return undefined;
  }

  #twinOf(held: DottedRecord, named: NamedOperation, floor: number): DottedRecord | undefined {
    const { value, dot, time, endsAtMs } = named;
    const resolver = this.#resolver;
    const event = { type: "update", value, seen: undefined } as const;
    const minted = mint(settlementOf(resolver), held, event, dot, time);
    if (minted.type !== "record") return undefined;
    if (endsAtMs === undefined) return minted.record;
    const context = minted.record.context.raisedTo(floor);
    const made = operate(
      resolver,
      () => stateOf(resolver, held),
      named,
      (after) => encodeValue(resolver.retireActors?.(after, context.base)),
    );
    return made.type === "made" ? { ...minted.record, context, states: [made.made] } : undefined;
  }

  /** One of the parcels, late or again; some get lost. */
  #hear(copy: Copy): string | undefined {
    const at = this.#below(this.#parcels.length);
    const parcel = this.#parcels[at] as Parcel;
    if (this.#below(3) > 0) this.#parcels.splice(at, 1);
    if (this.#below(10) === 0) return undefined;
    const { delta, record, shadow } = parcel;
    if (delta === undefined || this.#below(10) === 0) {
      this.#mergeWhole(copy, record, shadow);
      return undefined;
    }
    const held = heldOf(copy);
    const whole = mergeRecords(settlementOf(this.#resolver), held.record, decodeRecord(record));
    const verdict = copy.states.join(held, delta);
    if (verdict.type === "gap") {
      this.gaps++;
      if (held.record.context.includes(delta.base)) return "a gap where there is none";
      // The whole record may be asked for, and may get lost as well.
      if (this.#below(2) === 0) this.#mergeWhole(copy, record, shadow);
      return undefined;
    }
    if (verdict.type === "held") {
      return held.record.context.covers(delta.dot, delta.dot.time)
        ? undefined
        : "held, though it is not";
    }
    this.deltas++;
    if (Buffer.compare(verdict.keyed.record, encodeRecord(whole)) !== 0) return "not the whole";
    this.#hold(copy, verdict.keyed.record);
    copy.states.keep(verdict.keyed, verdict.encoded);
    if (this.#settles) copy.shadow = this.#resolver.join(copy.shadow, shadow);
    return undefined;
  }

  #mergeWhole(copy: Copy, record: Uint8Array, shadow: unknown): void {
    if (this.#settles) copy.shadow = this.#resolver.join(copy.shadow, shadow);
    const rules = makeDottedRules(settlementOf(this.#resolver));
    this.#hold(copy, mergedOf(rules, copy.bytes, record));
  }

  /** A state gives back other buffers than it was given. */
  #hold(copy: Copy, bytes: Uint8Array): void {
    copy.bytes = this.#below(2) === 0 ? bytes : Uint8Array.from(bytes);
  }

  #below(limit: number): number {
    return this.#random.uint32() % limit;
  }
}

function heldOf({ bytes }: Copy) {
  const record: DottedRecord = bytes === undefined ? NOTHING : decodeRecord(bytes);
  return { key: KEY, bytes, record };
}

describe.each(CRDTS.map((each) => [each[0].name, each] as const))("states of %s", (_name, crdt) => {
  test("are what whole records would have made of them, whatever is lost, doubled or late", {
    timeout: LONG_MS,
  }, () => {
    let [deltas, gaps] = [0, 0];
    for (let seed = 1; seed <= 25; seed++) {
      const world = new World(crdt, seed);
      expect(world.run(120), `seed ${seed}`).toBeUndefined();
      deltas += world.deltas;
      gaps += world.gaps;
    }
    expect(deltas).toBeGreaterThan(2);
    expect(gaps).toBeGreaterThan(2);
  });
});

const SHEDDING = CRDTS.filter(([resolver]) => resolver.retireActors !== undefined);

describe.each(SHEDDING.map((each) => [each[0].name, each] as const))(
  "names in %s",
  (_name, crdt) => {
    test(
      "go at one copy or another, in records and deltas of any age, and no value changes",
      () => {
        let settled = 0;
        for (let seed = 1; seed <= 8; seed++) {
          const world = new World(crdt, seed, {}, true);
          expect(world.run(80), `seed ${seed}`).toBeUndefined();
          settled += world.settled;
        }
        expect(settled).toBeGreaterThan(20);
      },
      LONG_MS,
    );
  },
);

describe("the test of states and deltas", () => {
  const orSets = CRDTS[0] as (typeof CRDTS)[number];
  test.each([
    ["a delta that is joined across a gap", { deltaAcrossGap: true }],
    ["a delta that is kept as the whole state", { deltaTakenForState: true }],
  ])("finds %s", (_bug, planted) => {
    const problems = Array.from({ length: 10 }, (_, at) =>
      new World(orSets, at + 1, planted).run(150),
    );
    expect(problems.some((problem) => problem?.endsWith("not the whole"))).toBe(true);
  });
});

test("a resolver that throws while it joins asks for the whole record", () => {
  const resolver: CrdtResolver = {
    ...(orSet() as CrdtResolver),
    join: () => {
      throw new Error("no");
    },
  };
  const [from, to] = [new States(resolver, {}), new States(resolver, {})];
  const operation = {
    value: encodeValue({ add: "a long enough element of a set" }),
    dot: { actor: { high: 1, low: 1 }, counter: 1 },
    time: START,
  };
  const operated = from.operate({ key: KEY, bytes: undefined, record: NOTHING }, operation, 0);
  if (operated.type !== "operated") throw new Error("refused");
  const { context } = operated;
  const delta: StateDelta = {
    key: KEY,
    base: NOTHING.context,
    dot: { ...operation.dot, time: START },
    settledTo: 0,
    state: encodeValue({ context: [["0000000100000001", 0, 1]], entries: [] }),
  };
  expect(context.covers(delta.dot, START)).toBe(true);
  const verdict = to.join({ key: KEY, bytes: undefined, record: NOTHING }, delta);
  expect(verdict).toEqual({ type: "gap" });
});

describe("a record that only says that there was nothing up to a time", () => {
  const END_MS = Date.UTC(2026, 0, 1) + 2_000;
  const base = hybridTimeOf(END_MS);
  const counted: DottedRecord = {
    ...NOTHING,
    context: CausalContext.of([{ actor: { high: 1, low: 1 }, counter: 1, time: base + 1 }]),
    newestTime: base + 1,
    states: [encodeValue([[actorName("a", END_MS), 1, 5]])],
  };
  const nothing = { ...NOTHING, context: CausalContext.upTo(base), newestTime: base };

  test("gives its base to the state that it is merged with, whichever comes first", () => {
    const settlement = settlementOf(pnCounter() as CrdtResolver);
    for (const merged of [
      mergeRecords(settlement, counted, nothing),
      mergeRecords(settlement, nothing, counted),
    ]) {
      expect(merged.context.base).toBe(base);
      expect(merged.states).toEqual([encodeValue([["", base, 5]])]);
    }
  });

  test("leaves the state as it is where its resolver throws", () => {
    const retireActors = () => {
      throw new Error("no");
    };
    const settlement = settlementOf({ ...pnCounter(), retireActors } as CrdtResolver);
    expect(mergeRecords(settlement, counted, nothing).states).toEqual(counted.states);
  });
});
