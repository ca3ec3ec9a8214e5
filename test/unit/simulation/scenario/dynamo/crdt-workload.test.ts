import { expect, test } from "vitest";
import type { CrdtResolver } from "../../../../../src/core/contracts/resolver.ts";
import { encodeValue } from "../../../../../src/core/model/values.ts";
import type { GetResult } from "../../../../../src/core/store/api.ts";
import { CrdtWorkload } from "../../../../../src/simulation/scenario/dynamo/crdt-workload.ts";
import {
  type WatchedCrdt,
  watchCrdt,
} from "../../../../../src/simulation/scenario/dynamo/watched-crdt.ts";
import { actorText, CausalContext } from "../../../../../src/strategies/dynamo/causal-context.ts";
import { encodeRecord } from "../../../../../src/strategies/dynamo/dotted-record.ts";

const KEY = "key/1";
const OTHER_KEY = "key/2";
const A = { high: 1, low: 1 };
const B = { high: 2, low: 1 };

/** Two replicas of one key, and the workload that judges what is read of it. */
class Pair {
  readonly #resolver: CrdtResolver;
  readonly workload: CrdtWorkload;
  readonly #contexts = new Map<string, CausalContext>();
  readonly #losses: { node: string; at: number; how: "damage" }[] = [];
  readonly #stores = new Map<string, number>();
  #state: unknown;
  #context = CausalContext.EMPTY;
  #time = 10;

  constructor(name: string) {
    const watched = watchCrdt(name) as WatchedCrdt;
    this.#resolver = watched.resolver;
    this.#state = this.#resolver.initial();
    this.workload = new CrdtWorkload(watched, {
      contextOf: (_key, version) => this.#contexts.get(version) as CausalContext,
      losses: () => this.#losses,
      storeIdOf: (node) => `store ${this.#stores.get(node) ?? 1}`,
    });
  }

  /** Each upon the same state, which then is the join of what they made of it. */
  perform(operations: readonly unknown[], names: readonly string[] = []): void {
    const before = this.#state;
    const actors = [A, B];
    for (const [at, operation] of operations.entries()) {
      const actor = actors[at] as typeof A;
      this.#time += 1;
      const dot = { actor, counter: this.#time, time: this.#time };
      const sent = { id: names[at] ?? `v${this.#time}`, key: KEY, operation };
      const named = { ...dot, actor: actorText(actor) };
      const after = this.#resolver.mutate(before, this.#resolver.checkOperation(sent), named);
      this.#state = at === 0 ? after : this.#resolver.join(this.#state, after);
      this.#context = this.#context.with(dot);
    }
  }

  /** The node's copy comes to know all that is known here. */
  hold(node: string): void {
    this.#commit(node, KEY, this.#context);
  }

  /** The node's copy of another key comes to know the next event of the first actor. */
  holdOther(node: string): void {
    this.#time += 1;
    const dot = { actor: A, counter: this.#time, time: this.#time };
    this.#commit(node, OTHER_KEY, CausalContext.of([dot]));
  }

  lose(node: string): void {
    this.#losses.push({ node, at: this.#time, how: "damage" });
  }

  /** The node goes on with another store. */
  replaceStore(node: string): void {
    this.#stores.set(node, (this.#stores.get(node) ?? 1) + 1);
  }

  #commit(node: string, key: string, context: CausalContext): void {
    const states = [encodeValue(this.#state)];
    const record = encodeRecord({ context, newestTime: this.#time, siblings: [], states });
    this.workload.noteCommit({ node, atMs: this.#time, key, held: undefined, record });
  }

  /** Names of events go, as where a floor has passed them. */
  settle(): void {
    this.#context = CausalContext.upTo(this.#time);
  }

  get value(): unknown {
    return this.#resolver.value(this.#state);
  }

  version(context = this.#context): string {
    const version = `version ${this.#contexts.size}`;
    this.#contexts.set(version, context);
    return version;
  }

  checksOf(value: unknown = this.value, version = this.version()): readonly string[] {
    const result = {
      found: true,
      conflict: false,
      value,
      version,
    } as unknown as GetResult<unknown>;
    const final = { key: KEY, result, covers: () => true };
    return this.workload.judgeFinal(final).map(({ check }) => check);
  }
}

const field = (key: string, operation: unknown) => ({ update: { key, operation } });
const count = (amount: number) => field("count", { "pn-counter": { increment: amount } });
const tag = (change: unknown) => field("tags", { "or-set": change });

/** By resolver: steps, each of one or two concurrent operations; what comes of it; and what does not. */
const HISTORIES: readonly (readonly [
  name: string,
  steps: readonly (readonly unknown[])[],
  right: unknown,
  wrong: readonly unknown[],
])[] = [
  ["g-counter", [[{ increment: 2 }, { increment: 3 }]], 5, [2, 3, 6]],
  ["pn-counter", [[{ increment: 5 }, { decrement: 2 }], [{ decrement: 1 }]], 2, [3, 5, 8]],
  ["g-set", [[{ add: "a" }, { add: "b" }]], ["a", "b"], [["a"], ["a", "b", "c"]]],
  ["or-set", [[{ add: "a" }], [{ remove: "a" }]], [], [["a"]]],
  ["or-set", [[{ add: "a" }], [{ remove: "a" }], [{ add: "a" }]], ["a"], [[]]],
  ["or-set", [[{ add: "a" }], [{ remove: "a" }, { add: "a" }]], ["a"], [[]]],
  ["flag", [[{ enable: true }], [{ disable: true }]], false, [true]],
  ["flag", [[{ enable: true }], [{ disable: true }, { enable: true }]], true, [false]],
  ["lww-register", [[{ set: "a" }, { set: "b" }]], "b", ["a", null]],
  ["mv-register", [[{ set: "a" }, { set: "b" }]], ["a", "b"], [["a"], ["b"]]],
  ["mv-register", [[{ set: "a" }, { set: "b" }], [{ set: "c" }]], ["c"], [["a", "c"], []]],
  ["or-map", [[count(2)], [count(3), { remove: "count" }]], { count: 5 }, [{ count: 3 }, {}]],
  ["or-map", [[count(2)], [{ remove: "count" }], [count(3)]], { count: 3 }, [{ count: 5 }]],
  [
    "or-map",
    [[tag({ add: "a" })], [tag({ add: "b" }), tag({ remove: "a" })]],
    { tags: ["b"] },
    [{ tags: ["a", "b"] }, { tags: [] }],
  ],
  [
    "or-map",
    [[field("name", { "lww-register": { set: "x" } })], [count(1)]],
    { count: 1, name: "x" },
    [{ count: 1 }, { count: 1, name: "y" }],
  ],
];

test.each(HISTORIES.map(([name, steps, right, wrong]) => ({ name, steps, right, wrong })))(
  "of $name after $steps nothing but $right is right",
  ({ name, steps, right, wrong }) => {
    const pair = new Pair(name);
    for (const step of steps) pair.perform(step);
    expect(pair.value).toEqual(right);
    expect(pair.checksOf()).toEqual([]);
    for (const value of wrong) {
      const other = new Pair(name);
      for (const step of steps) other.perform(step);
      expect({ value, checks: other.checksOf(value) }).toEqual({ value, checks: ["model"] });
    }
  },
);

test("a read is judged by what its version knows, not by what came later", () => {
  const pair = new Pair("pn-counter");
  pair.perform([{ increment: 5 }]);
  const version = pair.version();
  pair.perform([{ increment: 1 }]);
  expect(pair.checksOf(5, version)).toEqual([]);
  expect(pair.checksOf(6, version)).toEqual(["model"]);
});

test("an operation that was carried out twice is found, though its value may be right", () => {
  const pair = new Pair("or-set");
  pair.perform([{ add: "a" }], ["v1"]);
  pair.perform([{ add: "a" }], ["v1"]);
  expect(pair.checksOf()).toEqual(["operation"]);
});

test("an operation that was refused, and is there, is found", () => {
  const pair = new Pair("flag");
  pair.perform([{ enable: true }], ["v1"]);
  const call = { id: "v1", key: KEY, send: () => Promise.reject(new Error("not sent")) };
  pair.workload.failed(call, false);
  expect(pair.checksOf()).toEqual(["outcome"]);
});

test("an acknowledged operation that its own version does not know is found", () => {
  const pair = new Pair("g-counter");
  pair.perform([{ increment: 1 }], ["v1"]);
  const call = (id: string) => ({
    id,
    key: KEY,
    send: () => Promise.reject(new Error("not sent")),
  });
  pair.workload.acknowledged(call("v1"), pair.version());
  expect(pair.checksOf()).toEqual([]);
  pair.workload.acknowledged(call("v2"), pair.version());
  expect(pair.checksOf()).toEqual(["operation"]);
});

test("what a floor alone covers, and nobody is known to have held, may be gone or not", () => {
  const pair = new Pair("pn-counter");
  pair.perform([{ increment: 5 }, { increment: 2 }]);
  pair.settle();
  for (const value of [0, 2, 5, 7]) expect(pair.checksOf(value)).toEqual([]);
  expect(pair.checksOf(3)).toEqual(["model"]);
});

test("what a floor alone covers has to be there if any of its holders has lost nothing since", () => {
  const pair = new Pair("pn-counter");
  pair.perform([{ increment: 5 }]);
  pair.hold("n1");
  pair.hold("n2");
  pair.lose("n1");
  pair.settle();
  expect(pair.checksOf(5)).toEqual([]);
  expect(pair.checksOf(0)).toEqual(["model"]);
});

test("what went with its only holder may be gone, though others hold later events of its actor for another key", () => {
  const pair = new Pair("pn-counter");
  pair.perform([{ increment: 5 }]);
  pair.hold("n1");
  pair.lose("n1");
  pair.holdOther("n2");
  pair.settle();
  for (const value of [0, 5]) expect(pair.checksOf(value)).toEqual([]);
  expect(pair.checksOf(3)).toEqual(["model"]);
});

test("a map's field may be gone with the only holder of its updates, and has to be there while another holds them", () => {
  const name = (value: string) => field("name", { "lww-register": { set: value } });
  for (const isHeldByAnother of [false, true]) {
    const pair = new Pair("or-map");
    pair.perform([count(1)]);
    pair.hold("n2");
    pair.perform([name("x")]);
    pair.perform([name("y")]);
    pair.hold("n1");
    if (isHeldByAnother) pair.hold("n2");
    pair.lose("n1");
    pair.holdOther("n2");
    pair.settle();
    expect(pair.checksOf({ count: 1, name: "y" })).toEqual([]);
    const missed = isHeldByAnother ? ["model"] : [];
    expect(pair.checksOf({ count: 1 })).toEqual(missed);
    expect(pair.checksOf({ name: "y" })).toEqual([...missed, "model"]);
  }
});

test("what was committed to a store after it was found to be an older copy goes with it, and no sooner", () => {
  for (const isSetAside of [false, true]) {
    const pair = new Pair("pn-counter");
    pair.lose("n1");
    pair.perform([{ increment: 5 }]);
    pair.hold("n1");
    pair.settle();
    if (isSetAside) pair.replaceStore("n1");
    expect(pair.checksOf(5)).toEqual([]);
    const missed = isSetAside ? [] : ["model"];
    expect(pair.checksOf(0)).toEqual(missed);
    expect(pair.checksOf(3)).toEqual([...missed, "model"]);
  }
});

test("a store that is another one, though its node has lost nothing, excuses nothing", () => {
  const pair = new Pair("pn-counter");
  pair.lose("n2");
  pair.perform([{ increment: 5 }]);
  pair.hold("n1");
  pair.settle();
  pair.replaceStore("n1");
  expect(pair.checksOf(5)).toEqual([]);
  expect(pair.checksOf(0)).toEqual(["model"]);
});
