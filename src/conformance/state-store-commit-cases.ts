import {
  MAX_STATE_KEY_BYTES,
  NODE_SHARD,
  SPACES,
  type StateMutation,
} from "../core/contracts/storage.ts";
import type { LogPosition } from "../core/model/ids.ts";
import {
  checkListing,
  del,
  delRange,
  put,
  puts,
  StateProbe,
  switchTo,
} from "./state-store-probe.ts";
import { isError, SHARD_A, SHARD_B, SHARD_C, type StorageCase, utf8 } from "./storage-harness.ts";
import { check, checkEqual, checkThrows } from "./suite.ts";

function isRefusal(error: unknown): boolean {
  return error instanceof RangeError || error instanceof TypeError;
}

const WRITES: readonly StorageCase[] = [
  {
    name: "capabilities say whether the state is persistent, and give the bounds",
    run: ({ state }, { persistent }) => {
      checkEqual(state.capabilities.persistent, persistent, "capabilities.persistent");
      check(state.capabilities.maxViewAgeMs > 0, "maxViewAgeMs is not above 0");
      check(state.capabilities.maxPendingBytes > 0, "maxPendingBytes is not above 0");
    },
  },
  {
    name: "a new state is empty, and at position 0",
    run: (storage, { clock }) => {
      const { state } = new StateProbe(storage, clock);
      checkEqual([state.committedPosition, state.durablePosition], [0, 0], "positions");
      checkEqual(state.shards(), [], "shards");
      checkEqual(state.get(SHARD_A, "data", utf8("k")), undefined, "an absent key");
      checkEqual(state.pendingBytes, 0, "pendingBytes");
    },
  },
  {
    name: "a commit is visible when it returns: puts, overwrites and deletes",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "one"), put("other", "x"));
      checkEqual(probe.get("k"), "one", "after a put");
      probe.commit(put("k", "two"));
      checkEqual(probe.get("k"), "two", "after an overwrite");
      probe.commit(del("k"), del("never there"));
      checkEqual(probe.get("k"), undefined, "after a delete");
      checkEqual(probe.get("other"), "x", "another key");
      probe.commit(put("k", "three"));
      checkEqual(probe.get("k"), "three", "after a put over a delete");
    },
  },
  {
    name: "the mutations of a batch apply in their order",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("a", "0"), put("b", "0"), put("c", "0"));
      probe.commit(
        put("a", "1"),
        put("a", "2"),
        put("b", "1"),
        del("b"),
        del("c"),
        put("c", "1"),
        delRange("d", "e"),
        put("d", "1"),
      );
      checkListing(probe.list(), "a=2 c=1 d=1", "entries");
    },
  },
  {
    name: "shards and spaces never mix",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const places = [NODE_SHARD, SHARD_A, SHARD_B, SHARD_C].flatMap((shard) =>
        SPACES.map((space) => ({ shard, space })),
      );
      probe.commit(...places.map((each) => put("k", `${each.shard}/${each.space}`, each)));
      for (const { shard, space } of places) {
        checkListing(probe.list(space, shard), `k=${shard}/${space}`, `${space} of shard ${shard}`);
      }
      probe.commit(del("k", { shard: SHARD_A, space: "side" }));
      for (const { shard, space } of places) {
        const isGone = shard === SHARD_A && space === "side";
        const expected = isGone ? undefined : `${shard}/${space}`;
        checkEqual(probe.get("k", space, shard), expected, `${space} of shard ${shard}`);
      }
    },
  },
  {
    name: "keys and values are bytes of every kind and length that is allowed",
    run: (storage, { clock }) => {
      const { state } = new StateProbe(storage, clock);
      const longest = new Uint8Array(MAX_STATE_KEY_BYTES).fill(255);
      const large = Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 7) & 0xff);
      const keys = [
        new Uint8Array(0),
        Uint8Array.of(0),
        Uint8Array.of(0, 0),
        longest,
        longest.subarray(1),
      ];
      const values = [
        large,
        new Uint8Array(0),
        Uint8Array.of(0),
        large.subarray(9, 99),
        Uint8Array.of(255),
      ];
      const mutations = keys.map((key, at): StateMutation => {
        return { type: "put", shard: SHARD_A, space: "data", key, value: values[at] as Uint8Array };
      });
      state.commit({ mutations, position: 1 as LogPosition });
      const found = keys.map((key) => state.get(SHARD_A, "data", key));
      checkEqual(found, values, "values");
    },
  },
  {
    name: "what was returned stays as it was when the entry is overwritten and deleted",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "before"));
      const value = probe.state.get(SHARD_A, "data", utf8("k"));
      const view = probe.state.view(SHARD_A);
      const { entries } = view.range("data", undefined, undefined, 100);
      view.close();
      probe.commit(put("k", "behind"));
      probe.commit(del("k"));
      checkEqual(value, utf8("before"), "a value that was returned earlier");
      checkEqual(entries, [{ key: utf8("k"), value: utf8("before") }], "entries returned earlier");
    },
  },
  {
    name: "delete-range is half-open, open where a bound is undefined, and stays in its place",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const all = "a=1 b=2 ba=3 c=4 d=5";
      const elsewhere = [{ shard: SHARD_B }, { space: "side" }] as const;
      for (const place of elsewhere) probe.commit(...puts(all, place));
      const cuts: readonly (readonly [string | undefined, string | undefined, string])[] = [
        ["b", "c", "a=1 c=4 d=5"],
        ["b", "b", all],
        ["c", "b", all],
        [undefined, "b", "b=2 ba=3 c=4 d=5"],
        ["bb", undefined, "a=1 b=2 ba=3"],
        ["aa", "az", all],
        [undefined, undefined, ""],
      ];
      for (const [from, to, left] of cuts) {
        probe.commit(...puts(all));
        probe.commit(delRange(from, to));
        checkListing(probe.list(), left, `left after deleting from ${from} to ${to}`);
      }
      checkListing(probe.list("data", SHARD_B), all, "another shard");
      checkListing(probe.list("side"), all, "another space");
    },
  },
];

/** Batches of which the second mutation, or the position, is wrong. */
const INVALID: Readonly<Record<string, (probe: StateProbe) => () => void>> = {
  "a position that falls": (probe) => () => {
    const position = (probe.state.committedPosition - 1) as LogPosition;
    probe.state.commit({ mutations: [put("k", "new")], position });
  },
  "a space that is not one": (probe) => () =>
    void probe.commit(put("k", "new"), put("x", "y", { space: "dada" as "data" })),
  "a mutation that is not one": (probe) => () =>
    void probe.commit(put("k", "new"), { ...del("x"), type: "remove" } as unknown as StateMutation),
  "a key that is too long": (probe) => () =>
    void probe.commit(put("k", "new"), put("x".repeat(MAX_STATE_KEY_BYTES + 1), "y")),
  "a generation that was never given out": (probe) => () =>
    void probe.commit(put("k", "new"), put("x", "y", { generation: 4_711 })),
  "a switch to a generation that was never given out": (probe) => () =>
    void probe.commit(put("k", "new"), switchTo(4_711)),
  "a generation of another shard": (probe) => {
    const generation = probe.state.newGeneration(SHARD_B);
    return () => void probe.commit(put("k", "new"), put("x", "y", { generation }));
  },
};

const REFUSALS: readonly StorageCase[] = Object.entries(INVALID).map(([what, prepare]) => ({
  name: `a batch with ${what} throws, and nothing of it is applied`,
  run: (storage, { clock }) => {
    const probe = new StateProbe(storage, clock);
    probe.commit(put("k", "old"));
    probe.commit(put("k", "old"));
    const position = probe.state.committedPosition;
    checkThrows(prepare(probe), isRefusal, `a batch with ${what}`);
    checkListing(probe.list(), "k=old", "entries after the refusal");
    checkEqual(probe.state.committedPosition, position, "committedPosition after the refusal");
    probe.commit(put("k", "new"));
    checkListing(probe.list(), "k=new", "entries after the next batch");
  },
}));

const POSITIONS: readonly StorageCase[] = [
  {
    name: "positions follow the commits, may stay, and become durable by themselves",
    run: async (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      for (const position of [3, 3, 10, 11]) {
        probe.state.commit({
          mutations: [put("k", `${position}`)],
          position: position as LogPosition,
        });
        checkEqual(probe.state.committedPosition, position, "committedPosition");
        check(
          probe.state.durablePosition <= position,
          "durablePosition is above committedPosition",
        );
        check(probe.state.pendingBytes >= 0, "pendingBytes is below 0");
      }
      await probe.durable();
      checkEqual(probe.state.durablePosition, 11, "durablePosition in the end");
      checkEqual(probe.state.pendingBytes, 0, "pendingBytes with everything durable");
    },
  },
  {
    name: "an empty batch moves the position",
    run: async (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.state.commit({ mutations: [], position: 5 as LogPosition });
      checkEqual(probe.state.committedPosition, 5, "committedPosition");
      await probe.durable();
    },
  },
  {
    name: "shards lists those that hold something, in whatever space",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const listed = () =>
        probe.state
          .shards()
          .map(({ shard }) => shard)
          .sort((a, b) => a - b);
      probe.commit(put("k", "v"), put("k", "v", { shard: SHARD_C, space: "meta" }));
      probe.get("k", "data", SHARD_B);
      probe.state.newGeneration(SHARD_B);
      checkEqual(listed(), [SHARD_A, SHARD_C], "shards");
      probe.commit(del("k"), put("k", "v", { shard: NODE_SHARD, space: "side" }));
      checkEqual(listed(), [NODE_SHARD, SHARD_C], "shards after one was emptied");
    },
  },
  {
    name: "close may be called again, and everything else throws",
    run: async (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "v"));
      const view = probe.state.view(SHARD_A);
      await probe.state.close();
      await probe.state.close();
      const calls: Readonly<Record<string, () => unknown>> = {
        get: () => probe.get("k"),
        view: () => probe.state.view(SHARD_A),
        shards: () => probe.state.shards(),
        newGeneration: () => probe.state.newGeneration(SHARD_A),
        commit: () => probe.commit(put("k", "w")),
        "get of an open view": () => view.get("data", utf8("k")),
      };
      for (const [name, call] of Object.entries(calls)) {
        checkThrows(call, isError, `${name} on a closed state`);
      }
      view.close();
    },
  },
];

/** Commits: what they change, in which order, and which are refused. */
export const COMMIT_CASES: readonly StorageCase[] = Object.freeze([
  ...WRITES,
  ...REFUSALS,
  ...POSITIONS,
]);
