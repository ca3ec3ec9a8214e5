import { describe, expect, test } from "vitest";
import type { OperationDot } from "../../../../src/core/contracts/resolver.ts";
import { actorName } from "../../../../src/core/model/actor-name.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import {
  type OrSetState,
  orSet,
  type SetOperation,
} from "../../../../src/resolvers/crdt/or-set.ts";
import { SeededRandom } from "../../../support/seeded-random.ts";

const SET = orSet<string>();
type State = OrSetState<string>;

/** One node's copy of the set: mints its own dots. */
class Copy {
  state: State = SET.initial();
  actor: string;
  #counter = 0;

  constructor(actor: string) {
    this.actor = actor;
  }

  dot(): OperationDot {
    this.#counter += 1;
    return { actor: this.actor, counter: this.#counter, time: this.#counter };
  }

  do(operation: SetOperation<string>): this {
    this.state = SET.mutate(this.state, operation, this.dot());
    return this;
  }

  /** The delta alone, as it travels. */
  doAndTell(operation: SetOperation<string>): State {
    const dot = this.dot();
    const delta = SET.delta?.(this.state, operation, dot) ?? SET.initial();
    this.state = SET.mutate(this.state, operation, dot);
    return delta;
  }

  hear(...others: readonly { readonly state: State }[]): this {
    for (const { state } of others) this.state = SET.join(this.state, state);
    return this;
  }

  restart(actor: string): void {
    this.actor = actor;
    this.#counter = 0;
  }

  get elements(): string[] {
    return SET.value(this.state);
  }

  get bytes(): number {
    return encodeValue(this.state).length;
  }
}

function copies(...actors: readonly string[]): Copy[] {
  return actors.map((actor) => new Copy(actor));
}

test("riak_dt#82: an element that was removed everywhere does not return by a copy of an old addition", () => {
  const [a, b, c] = copies("a", "b", "c") as [Copy, Copy, Copy];
  a.do({ add: "x" });
  b.do({ add: "x" });
  c.hear(a);
  a.do({ remove: "x" });
  a.hear(b);
  b.do({ remove: "x" });
  expect(new Copy("d").hear(b, new Copy("e").hear(a, c)).elements).toEqual([]);
  expect(new Copy("d").hear(c, a, b).elements).toEqual([]);
});

describe("an addition", () => {
  test("wins over a removal that had not seen it", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    a.do({ add: "x" });
    b.hear(a).do({ remove: "x" });
    a.do({ add: "x" });
    expect(a.hear(b).elements).toEqual(["x"]);
    expect(b.hear(a).state).toEqual(a.state);
  });

  test("loses to a removal that had seen it, also where it comes later", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    const delta = a.doAndTell({ add: "x" });
    b.hear(a).do({ remove: "x" });
    expect(b.hear({ state: delta }).elements).toEqual([]);
  });

  test("has one dot, however often it is made again", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    for (let time = 0; time < 10; time += 1) b.hear(a.do({ add: "x" })).do({ add: "x" });
    expect(b.state.entries).toEqual([["x", [["b", 10]]]]);
  });
});

describe("elements", () => {
  test("are any values, and equal where their encodings are", () => {
    const set = orSet();
    const elements = [{ b: 1, a: new Date(0) }, { a: new Date(0), b: 1 }, -0, 0, "0", 0n, [null]];
    const state = elements.reduce<ReturnType<typeof set.initial>>(
      (sum, add, at) => set.mutate(sum, { add }, { actor: "a", counter: at + 1, time: 0 }),
      set.initial(),
    );
    expect(set.value(state)).toHaveLength(5);
    expect(encodeValue(set.value(state))).toEqual(
      encodeValue(["0", 0n, [null], { a: new Date(0), b: 1 }, 0]),
    );
  });

  test("come in the order of texts, then of bytes, whatever came first", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    for (const add of ["pear", "apple", "é"]) a.do({ add });
    for (const add of ["fig", "apple"]) b.do({ add });
    expect(a.hear(b).elements).toEqual(["apple", "fig", "pear", "é"]);
  });
});

describe("a state", () => {
  test("of 100,000 additions and removals is as large as what is in it", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    for (let round = 0; round < 25_000; round += 1) {
      a.do({ add: `item ${round}` }).do({ remove: `item ${round}` });
      b.do({ add: `item ${round}` }).do({ remove: `item ${round}` });
      if (round % 1_000 === 0) a.hear(b.hear(a));
    }
    expect(a.hear(b).elements).toEqual([]);
    expect(a.bytes).toBeLessThan(64);
    a.do({ add: "one" });
    expect(a.bytes).toBeLessThan(80);
  });

  test("of 10,000 elements is built and joined in steps, not in squares of them", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    for (let at = 0; at < 10_000; at += 1) a.do({ add: `item ${at}` });
    b.hear(a);
    expect(b.state).toBe(SET.join(b.state, a.state));
    expect(b.elements).toHaveLength(10_000);
    expect(b.bytes).toBeLessThan(10_000 * 24);
  });

  test("is the very same after a join that adds nothing, also with an equal copy", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    a.do({ add: "x" });
    b.hear(a).do({ add: "y" });
    const copy = JSON.parse(JSON.stringify(b.state)) as State;
    expect(SET.join(b.state, copy)).toBe(b.state);
    expect(SET.join(b.state, a.state)).toBe(b.state);
    expect(SET.join(b.state, SET.initial())).toBe(b.state);
  });

  test("of nodes that started 1,000 times keeps no name but those that hold elements", () => {
    const START_MS = Date.UTC(2026, 0, 1);
    const endMs = (start: number): number => START_MS + start * 1_000;
    const nodes = copies("a0", "b0", "c0");
    const random = new SeededRandom(58);
    let largest = 0;
    for (let start = 1; start <= 1_000; start += 1) {
      nodes.forEach((node, at) => {
        const element = `item ${random.uint32() % 5}`;
        node.restart(actorName(`${"abc"[at]}${start}`, endMs(start)));
        node.do(random.uint32() % 3 === 0 ? { remove: element } : { add: element });
        node.hear(nodes[random.uint32() % 3] as Copy);
        largest = Math.max(largest, node.bytes);
      });
      if (start % 20 > 0) continue;
      // One that has heard of everything lets go of names; the others hear from it sooner or later.
      const [first] = nodes as [Copy, Copy, Copy];
      first.hear(...nodes);
      first.state = SET.retireActors?.(first.state, hybridTimeOf(endMs(start))) ?? first.state;
      const { elements } = first;
      for (const node of nodes) {
        node.hear(first);
        expect(node.elements).toEqual(elements);
        expect(node.state.context).toHaveLength(1);
        expect(node.bytes).toBeLessThan(500);
      }
    }
    expect(largest).toBeLessThan(3_500);
  });
});

describe("deltas", () => {
  test("follow where what they rest on has come, and else ask for the whole state", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    const first = a.doAndTell({ add: "x" });
    const second = a.doAndTell({ add: "y" });
    expect(SET.follows?.(b.state, first)).toBe(true);
    expect(SET.follows?.(b.state, second)).toBe(false);
    b.hear({ state: first });
    expect(SET.follows?.(b.state, second)).toBe(true);
  });

  test("follow for one who has them already", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    const delta = a.doAndTell({ add: "x" });
    expect(SET.follows?.(b.hear(a).state, delta)).toBe(true);
  });

  test("of a removal do not follow where the addition has not come", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    a.do({ add: "x" }).do({ add: "y" });
    const removal = a.doAndTell({ remove: "y" });
    expect(SET.follows?.(b.state, removal)).toBe(false);
    expect(b.hear({ state: removal }, a).elements).toEqual(["x"]);
  });

  test("leave a gap that is no removal, and that the whole state closes", () => {
    const [a, b] = copies("a", "b") as [Copy, Copy];
    const deltas = ["u", "v", "w", "x", "y"].map((add) => a.doAndTell({ add }));
    for (const at of [4, 1, 1]) b.hear({ state: deltas[at] as State });
    expect(b.elements).toEqual(["v", "y"]);
    // What is missing at b is not taken away at a.
    expect(new Copy("c").hear(a, b).elements).toEqual(["u", "v", "w", "x", "y"]);
    expect(b.hear(a).state).toEqual(a.state);
    expect(b.state.context).toEqual([["a", 0, 5]]);
  });

  test("of which a third is lost, and any come late and twice, lead to one state with a whole one in the end", () => {
    const random = new SeededRandom(62);
    const nodes = copies("a", "b", "c");
    const waiting: State[] = [];
    for (let step = 0; step < 2_000; step += 1) {
      const node = nodes[random.uint32() % 3] as Copy;
      const element = `item ${random.uint32() % 8}`;
      waiting.push(
        node.doAndTell(random.uint32() % 2 === 0 ? { remove: element } : { add: element }),
      );
      const at = random.uint32() % waiting.length;
      (nodes[random.uint32() % 3] as Copy).hear({ state: waiting[at] as State });
      if (random.uint32() % 3 === 0) waiting.splice(at, 1);
    }
    const [a, b, c] = nodes as [Copy, Copy, Copy];
    a.hear(b, c);
    b.hear(c, a);
    c.hear(a);
    expect(encodeValue(b.state)).toEqual(encodeValue(a.state));
    expect(encodeValue(c.state)).toEqual(encodeValue(a.state));
    expect(a.state.context).toHaveLength(3);
  });
});
