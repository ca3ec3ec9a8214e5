import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigurationCache } from "../../../src/verification/configuration-cache.ts";
import { EventList } from "../../../src/verification/event-list.ts";
import { batchRegisterModel, OPEN_ENDED, registerModel } from "../../../src/verification/index.ts";
import { partitionByKeys } from "../../../src/verification/partition.ts";
import { PlacedSet } from "../../../src/verification/placed-set.ts";
import { StateDemand } from "../../../src/verification/state-demand.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { batch, below, read, write } from "./histories.ts";

describe("the set of placed operations", () => {
  test("has the words, the bounds and the hash of what is in it, however it came there", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(99), { maxLength: 200 }), (flips) => {
        const flipped = new PlacedSet(100);
        const members = new Set<number>();
        for (const index of flips) {
          if (members.delete(index)) {
            flipped.remove(index);
          } else {
            members.add(index);
            flipped.add(index);
          }
        }
        const built = new PlacedSet(100);
        for (const index of [...members].sort((a, b) => a - b)) built.add(index);
        expect([...flipped.words]).toEqual([...built.words]);
        expect([flipped.hash, flipped.from, flipped.to]).toEqual([
          built.hash,
          built.from,
          built.to,
        ]);
        const { words, from, to } = flipped;
        expect([...words.slice(0, from)].every((word) => word === 0xffff_ffff)).toBe(true);
        expect([...words.slice(to)].every((word) => word === 0)).toBe(true);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test("leaves out of its bounds what is full below and empty above", () => {
    const set = new PlacedSet(200);
    for (let index = 0; index < 70; index++) set.add(index);
    expect([set.from, set.to]).toEqual([2, 3]);
    set.add(150);
    expect([set.from, set.to]).toEqual([2, 5]);
    set.remove(0);
    expect([set.from, set.to]).toEqual([0, 5]);
    set.remove(150);
    expect([set.from, set.to]).toEqual([0, 3]);
  });
});

describe("the memory of configurations", () => {
  const words = (...list: number[]) => Uint32Array.from(list);

  test("knows a pair again, and only that pair, also where the hashes are the same", () => {
    const cache = new ConfigurationCache();
    expect(cache.add(7, 0, words(1, 2), 0, 2)).toBe(true);
    expect(cache.add(7, 0, words(1, 2), 0, 2)).toBe(false);
    expect(cache.add(7, 0, words(1, 3), 0, 2)).toBe(true);
    expect(cache.add(7, 1, words(1, 2), 0, 2)).toBe(true);
    expect(cache.add(7, 0, words(1, 2), 0, 1)).toBe(true);
    expect(cache.add(7, 0, words(0, 1, 2), 1, 3)).toBe(true);
    expect(cache.add(8, 0, words(1, 2), 0, 2)).toBe(true);
    expect(cache.size).toBe(6);
  });

  test("says the same as a set of texts, over many pairs and growths", () => {
    const random = new SeededRandom(1, "cache");
    const cache = new ConfigurationCache();
    const twin = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const [hash, state] = [below(random, 4), below(random, 3)];
      const list = words(below(random, 40), below(random, 40));
      const name = [hash, state, ...list].join();
      expect(cache.add(hash, state, list, 0, 2)).toBe(!twin.has(name));
      twin.add(name);
    }
    expect(cache.size).toBe(twin.size);
    expect(cache.size).toBeGreaterThan(5_000);
  });
});

describe("the demand for states", () => {
  const history = [write("a", 0, 1), read("a", 2, 3), write("a", 4, 5), read(undefined, 6, 7)];
  const numberOf = (state: unknown): number => (state === undefined ? 0 : 1);
  const isRead = history.map(({ input }) => input.type === "get");

  test("forbids leaving what a read still needs and nothing brings back", () => {
    const demand = StateDemand.of(registerModel, history, isRead, numberOf);
    expect([demand.forbidsLeaving(0), demand.forbidsLeaving(1)]).toEqual([true, false]);
    demand.place(0);
    expect(demand.forbidsLeaving(1)).toBe(false);
    demand.place(2);
    expect(demand.forbidsLeaving(1)).toBe(true);
    demand.place(1);
    expect(demand.forbidsLeaving(1)).toBe(false);
    demand.putBack(1);
    expect(demand.forbidsLeaving(1)).toBe(true);
    demand.putBack(2);
    expect(demand.forbidsLeaving(1)).toBe(false);
  });

  test("forbids nothing where the model cannot tell", () => {
    const demand = StateDemand.of(batchRegisterModel, history, isRead, () => 0);
    expect(demand.forbidsLeaving(0)).toBe(false);
  });
});

describe("the list of events", () => {
  test("offers what was called before the first return that is left", () => {
    const list = new EventList([write("a", 0, 5), write("b", 1, 3), write("c", 4, 9)]);
    expect([list.first(), list.after(0), list.after(1)]).toEqual([0, 1, -1]);
    list.lift(1);
    expect([list.first(), list.after(0), list.after(2)]).toEqual([0, 2, -1]);
    expect(list.returnsLeft).toBe(2);
    list.putBack(1);
    expect([list.first(), list.after(0), list.after(1)]).toEqual([0, 1, -1]);
    expect(list.returnsLeft).toBe(3);
  });

  test("has no return of what is open-ended", () => {
    const list = new EventList([write("a", 0, OPEN_ENDED), write("b", 1, 2)]);
    expect(list.returnsLeft).toBe(1);
    list.lift(1);
    expect([list.first(), list.after(0), list.returnsLeft]).toEqual([0, -1, 0]);
  });
});

describe("the parts of a history", () => {
  const keysOf = (keys: readonly string[]) => keys;
  const operation = (...keys: string[]) => ({ ...write("x", 0, 1), input: keys });

  test("are what hangs together by keys, also over several steps, in the order of their firsts", () => {
    const history = [
      operation("a"),
      operation("b", "c"),
      operation("d"),
      operation("c", "e"),
      operation("e", "f"),
      operation("a"),
    ] as never[];
    expect(partitionByKeys(history, keysOf)).toEqual([
      { keys: ["a"], operations: [history[0], history[5]] },
      { keys: ["b", "c", "e", "f"], operations: [history[1], history[3], history[4]] },
      { keys: ["d"], operations: [history[2]] },
    ]);
  });

  test("agree with joining pairs until nothing changes", () => {
    const arbitraryKeys = fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.array(arbitraryKeys, { maxLength: 8 }), (list) => {
        let groups = list.map((keys) => new Set<string>(keys));
        for (let before = -1; before !== groups.length; ) {
          before = groups.length;
          groups = groups.reduce<Set<string>[]>((joined, group) => {
            const other = joined.find((each) => [...each].some((key) => group.has(key)));
            if (other === undefined) joined.push(group);
            else for (const key of group) other.add(key);
            return joined;
          }, []);
        }
        const history = list.map((keys) => operation(...keys)) as never[];
        const parts = partitionByKeys(history, keysOf).map(({ keys }) => [...keys].sort().join());
        expect(parts.sort()).toEqual(groups.map((group) => [...group].sort().join()).sort());
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test("are found in real operations", () => {
    const history = [read("x", 0, 1, "a"), batch([{ key: "b", value: 1 }], 0, 1)];
    const parts = partitionByKeys(history, (input) =>
      input.type === "batch" ? input.writes.map(({ key }) => key) : [input.key],
    );
    expect(parts.map(({ keys }) => keys)).toEqual([["a"], ["b"]]);
  });
});
