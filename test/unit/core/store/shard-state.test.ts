import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StateMutation } from "../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../src/core/model/ids.ts";
import { compareBytes } from "../../../../src/core/model/keys.ts";
import { ShardState } from "../../../../src/core/store/shard-state.ts";
import { MemoryStateStore } from "../../../../src/storage/memory/memory-state-store.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

const SHARD = 7 as ShardId;

function mutationOf(key: string, value: string | undefined): StateMutation {
  const common = { shard: SHARD, space: "data", key: Buffer.from(key) } as const;
  return value === undefined
    ? { type: "delete", ...common }
    : { type: "put", ...common, value: Buffer.from(value) };
}

function open() {
  const store = new MemoryStateStore(new VirtualEnvironment());
  const state = new ShardState(store, SHARD);
  const commit = (...mutations: StateMutation[]): void =>
    store.commit({ mutations, position: 0 as LogPosition });
  return { state, commit };
}

function shown(state: ShardState, from?: string, to?: string, limitBytes = 10_000) {
  const bound = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const { entries, more } = state.range(bound(from), bound(to), limitBytes);
  const texts = entries.map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`);
  return more ? [...texts, "…"] : texts;
}

test("a key is found by its text as by its bytes, committed or not", () => {
  const { state, commit } = open();
  commit(mutationOf("a", "1"), mutationOf("b", "1"));
  state.overlay([mutationOf("b", "2"), mutationOf("c", "2")]);
  const values = ["a", "b", "c", "d"].map((key) => {
    const found = state.get(Buffer.from(key), key);
    expect(found).toEqual(state.get(Buffer.from(key)));
    return found && String(found);
  });
  expect(values).toEqual(["1", "2", "2", undefined]);
});

describe("the overlay", () => {
  test("lies over what is committed, and goes with its group", () => {
    const { state, commit } = open();
    commit(mutationOf("a", "1"), mutationOf("b", "1"), mutationOf("c", "1"));
    const first = [mutationOf("b", "2"), mutationOf("d", "2")];
    const second = [mutationOf("b", undefined), mutationOf("a", "3")];
    state.overlay(first);
    state.overlay(second);
    expect(shown(state)).toEqual(["a=3", "c=1", "d=2"]);
    expect(state.get(Buffer.from("b"))).toBeUndefined();
    commit(...first);
    state.settle(first);
    expect(shown(state)).toEqual(["a=3", "c=1", "d=2"]);
    commit(...second);
    state.settle(second);
    expect(shown(state)).toEqual(["a=3", "c=1", "d=2"]);
    expect(shown(state, "b", "d")).toEqual(["c=1"]);
  });

  test("keeps the spaces apart", () => {
    const { state } = open();
    const side: StateMutation = {
      type: "put",
      shard: SHARD,
      space: "side",
      key: Buffer.from("a"),
      value: Buffer.from("side"),
    };
    state.overlay([side]);
    expect(state.get(Buffer.from("a"))).toBeUndefined();
    expect(state.getSide(Buffer.from("a"))).toEqual(Buffer.from("side"));
    expect(state.rangeSide(undefined, undefined, 100)).toHaveLength(1);
  });

  // A page of two entries used to read a quarter of a mebibyte.
  test("counts towards the limit of entries, which the store is told", () => {
    const { state, commit } = open();
    commit(...["a", "c", "e", "g"].map((key) => mutationOf(key, "1")));
    state.overlay([mutationOf("b", "2"), mutationOf("c", undefined)]);
    const keysWithin = (entries: number) => {
      const run = state.range(undefined, undefined, 1_000, entries);
      return `${run.entries.map(({ key }) => Buffer.from(key)).join("")}${run.more ? "…" : ""}`;
    };
    expect([1, 2, 3, 9].map(keysWithin)).toEqual(["a…", "ab…", "abe…", "abeg"]);
  });

  // A run of deleted keys used to be answered with nothing and "more", which leads nowhere.
  test("a run of which all is deleted is passed over", () => {
    const { state, commit } = open();
    commit(...["a", "b", "c", "d"].map((key) => mutationOf(key, "x".repeat(50))));
    state.overlay([mutationOf("a", undefined), mutationOf("b", undefined)]);
    const { entries, more } = state.range(undefined, undefined, 60);
    expect(entries.map(({ key }) => Buffer.from(key).toString())).toEqual(["c"]);
    expect(more).toBe(true);
  });

  // What waits used to come whole, however much it was.
  test("what waits is bounded like what is stored", () => {
    const { state } = open();
    const keys = Array.from({ length: 20 }, (_, n) => `k${String(n).padStart(2, "0")}`);
    state.overlay(keys.map((key) => mutationOf(key, "x".repeat(100))));
    const first = state.range(undefined, undefined, 250);
    expect(first.entries).toHaveLength(2);
    expect(first.more).toBe(true);
    expect(state.range(undefined, undefined, 1).entries).toHaveLength(1);
  });

  test("reading on page by page meets every key once, whatever lies over what", () => {
    const letters = fc.constantFrom(..."abcdefghij");
    const writes = fc.array(
      fc.tuple(letters, fc.option(fc.string({ maxLength: 9 }), { nil: undefined })),
    );
    fc.assert(
      fc.property(writes, writes, fc.integer({ min: 1, max: 40 }), (stored, over, limit) => {
        const { state, commit } = open();
        const expected = new Map<string, string>();
        for (const [key, value] of [...stored, ...over]) {
          if (value === undefined) expected.delete(key);
          else expected.set(key, value);
        }
        commit(...stored.map(([key, value]) => mutationOf(key, value)));
        state.overlay(over.map(([key, value]) => mutationOf(key, value)));
        const read = new Map<string, string>();
        let from: Uint8Array | undefined;
        for (;;) {
          const { entries, more } = state.range(from, undefined, limit);
          for (const { key, value } of entries) {
            expect(from === undefined || compareBytes(key, from) >= 0).toBe(true);
            read.set(Buffer.from(key).toString(), Buffer.from(value).toString());
          }
          const last = entries.at(-1);
          if (!more || last === undefined) break;
          from = Buffer.concat([last.key, Buffer.of(0)]);
        }
        expect([...read]).toEqual([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
