import { describe, expect, test } from "vitest";
import { stateStoreConformance } from "../../src/conformance/state-store.ts";
import type {
  Space,
  StateBatch,
  StateMutation,
  StateStore,
  StateView,
} from "../../src/core/contracts/storage.ts";
import { SPACES } from "../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../src/core/model/ids.ts";
import { failureOf } from "../support/bind-suite.ts";
import { brokenState, withMembers } from "../support/broken-storage.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";
import {
  memoryHarness,
  type PersistentHarnessOptions,
  persistentHarness,
} from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

type Members = (state: StateStore) => Partial<StateStore>;

/** Changes each batch before it is committed. */
function commits(change: (batch: StateBatch) => StateBatch): Members {
  return (state) => ({ commit: (batch) => state.commit(change(batch)) });
}

/** Changes each mutation; without an answer it is left out. */
function mutates(change: (mutation: StateMutation) => StateMutation | undefined): Members {
  return commits(({ mutations, position }) => ({
    mutations: mutations.map(change).filter((each) => each !== undefined),
    position,
  }));
}

/** Commits what it can of a batch that is refused: one mutation after the other. */
const commitsInPieces: Members = (state) => ({
  commit: ({ mutations, position }) => {
    for (const each of mutations) state.commit({ mutations: [each], position });
    if (mutations.length === 0) state.commit({ mutations, position });
  },
});

/** Changes each view. */
function views(change: (view: StateView, state: StateStore, shard: ShardId) => Partial<StateView>) {
  return (state: StateStore): Partial<StateStore> => ({
    view: (shard) => {
      const view = state.view(shard);
      return withMembers(view, change(view, state, shard));
    },
  });
}

const NOT_PUT: StateMutation["type"][] = ["delete", "delete-range", "switch-generation"];

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Members, string]>> = {
  "says that its views live for ever": [
    ({ capabilities }) => ({ capabilities: { ...capabilities, maxViewAgeMs: 0 } }),
    "capabilities say whether the state is persistent, and give the bounds",
  ],
  "never lets any work in": [
    ({ capabilities }) => ({ capabilities: { ...capabilities, maxPendingBytes: 0 } }),
    "capabilities say whether the state is persistent, and give the bounds",
  ],
  "begins at position 1": [
    () => ({ committedPosition: 1 as LogPosition }),
    "a new state is empty, and at position 0",
  ],
  "commits one batch late": [
    (state) => {
      let waiting: StateBatch | undefined;
      return {
        commit: (batch) => {
          if (waiting !== undefined) state.commit(waiting);
          waiting = batch;
        },
      };
    },
    "a commit is visible when it returns: puts, overwrites and deletes",
  ],
  "applies deletes of a batch first": [
    commits(({ mutations, position }) => ({
      mutations: [
        ...mutations.filter(({ type }) => NOT_PUT.includes(type)),
        ...mutations.filter(({ type }) => type === "put"),
      ],
      position,
    })),
    "the mutations of a batch apply in their order",
  ],
  "keeps shards of 32 bits": [
    (state) => {
      const low = (shard: ShardId): ShardId => (shard >>> 16) as ShardId;
      return {
        get: (shard, space, key) => state.get(low(shard), space, key),
        view: (shard) => state.view(low(shard)),
        commit: ({ mutations, position }) =>
          state.commit({
            mutations: mutations.map((each) => ({ ...each, shard: low(each.shard) })),
            position,
          }),
      };
    },
    "shards and spaces never mix",
  ],
  "knows no empty values": [
    (state) => ({
      get: (shard, space, key) => {
        const value = state.get(shard, space, key);
        return value?.length === 0 ? undefined : value;
      },
    }),
    "keys and values are bytes of every kind and length that is allowed",
  ],
  "hands out one buffer again and again": [
    (state) => {
      const shared = new Uint8Array(6);
      return {
        get: (shard, space, key) => {
          const value = state.get(shard, space, key);
          if (value?.length !== 6) return value;
          shared.set(value);
          return shared;
        },
        commit: (batch) => {
          state.commit(batch);
          shared.fill(0);
        },
      };
    },
    "what was returned stays as it was when the entry is overwritten and deleted",
  ],
  "deletes ranges with their upper end": [
    mutates((each) =>
      each.type === "delete-range" && each.to !== undefined
        ? { ...each, to: Uint8Array.from([...each.to, 0]) }
        : each,
    ),
    "delete-range is half-open, open where a bound is undefined, and stays in its place",
  ],
  "lets positions fall": [
    (state) => ({
      commit: ({ mutations, position }) =>
        state.commit({
          mutations,
          position: Math.max(position, state.committedPosition) as LogPosition,
        }),
    }),
    "a batch with a position that falls throws, and nothing of it is applied",
  ],
  "writes unknown spaces to data": [
    mutates((each) =>
      "space" in each && !SPACES.includes(each.space) ? { ...each, space: "data" as Space } : each,
    ),
    "a batch with a space that is not one throws, and nothing of it is applied",
  ],
  "passes over mutations that it does not know": [
    mutates((each) => (each.type === "put" || NOT_PUT.includes(each.type) ? each : undefined)),
    "a batch with a mutation that is not one throws, and nothing of it is applied",
  ],
  "commits in pieces, up to a key that is too long": [
    commitsInPieces,
    "a batch with a key that is too long throws, and nothing of it is applied",
  ],
  "commits in pieces, up to an unknown generation": [
    commitsInPieces,
    "a batch with a generation that was never given out throws, and nothing of it is applied",
  ],
  "commits in pieces, up to a wrong switch": [
    commitsInPieces,
    "a batch with a switch to a generation that was never given out throws, and nothing of it is applied",
  ],
  "commits in pieces, up to another shard's generation": [
    commitsInPieces,
    "a batch with a generation of another shard throws, and nothing of it is applied",
  ],
  "is never durable": [
    () => ({ durablePosition: 0 as LogPosition }),
    "positions follow the commits, may stay, and become durable by themselves",
  ],
  "does not commit empty batches": [
    (state) => ({
      commit: (batch) => {
        if (batch.mutations.length > 0) state.commit(batch);
      },
    }),
    "an empty batch moves the position",
  ],
  "lists shards by their data alone": [
    (state) => ({
      shards: () =>
        state.shards().filter(({ shard }) => {
          const view = state.view(shard);
          const { entries } = view.range("data", undefined, undefined, 1);
          view.close();
          return entries.length > 0;
        }),
    }),
    "shards lists those that hold something, in whatever space",
  ],
  "answers after it was closed": [
    () => ({ shards: () => [] }),
    "close may be called again, and everything else throws",
  ],
  "orders bytes as signed": [
    views((view) => ({
      range: (space, from, to, limitBytes) => {
        const { entries, more } = view.range(space, from, to, limitBytes);
        const signed = (key: Uint8Array): number => ((key[0] ?? 0) << 24) >> 24;
        return { entries: [...entries].sort((a, b) => signed(a.key) - signed(b.key)), more };
      },
    })),
    "keys order by their bytes",
  ],
  "gives ranges with their upper end": [
    views((view) => ({
      range: (space, from, to, limitBytes) =>
        view.range(space, from, to && Uint8Array.from([...to, 0]), limitBytes),
    })),
    "a range is half-open, and open where a bound is undefined",
  ],
  "gives as many entries as it likes": [
    views((view) => ({
      range: (space, from, to, limitBytes) => view.range(space, from, to, limitBytes),
    })),
    "a range stops at `limitEntries`, if there is one, and at one entry at the earliest",
  ],
  "always says that there is more": [
    views((view) => ({
      range: (space, from, to, limit) => ({ ...view.range(space, from, to, limit), more: true }),
    })),
    "a range stops at `limitBytes`, gives at least one entry, and says whether there is more",
  ],
  "drops the last entry of a page": [
    views((view) => ({
      range: (space, from, to, limitBytes) => {
        const { entries, more } = view.range(space, from, to, limitBytes);
        return { entries: more && entries.length > 1 ? entries.slice(1) : entries, more };
      },
    })),
    "pages over many entries give each of them once",
  ],
  "reads in a view what is there now": [
    views((_view, state, shard) => ({ get: (space, key) => state.get(shard, space, key) })),
    "a view stays as it was, whatever is committed",
  ],
  "gives every view the newest moment at which one was opened": [
    (state) => {
      let latest: StateView | undefined;
      return {
        view: (shard) => {
          const view = state.view(shard);
          latest = view;
          return withMembers(view, {
            range: (...range) => (latest ?? view).range(...range),
          });
        },
      };
    },
    "several views each show their own moment, in whatever order they close",
  ],
  "takes the view of an empty shard when it is first read": [
    (state) => ({
      view: (shard) => {
        if (state.shards().some((each) => each.shard === shard)) return state.view(shard);
        let late: StateView | undefined;
        const view = (): StateView => {
          late ??= state.view(shard);
          return late;
        };
        return {
          get: (space, key) => view().get(space, key),
          range: (...range) => view().range(...range),
          close: () => view().close(),
        };
      },
    }),
    "a view shows one shard only, also one that is empty",
  ],
  "leaves closed views open": [
    views(() => ({ close: () => undefined })),
    "a closed view throws, and may be closed again",
  ],
  "lets views live too long": [
    ({ capabilities }) => ({
      capabilities: { ...capabilities, maxViewAgeMs: capabilities.maxViewAgeMs / 2 },
    }),
    "a view lives half of maxViewAgeMs, and not longer than it",
  ],
  "prolongs no view": [
    views(() => ({ prolong: () => undefined })),
    "a view that can be prolonged lives as if it had just been opened, and is closed all the same",
  ],
  "shows a generation that is written beside": [
    mutates((each) => {
      if (each.type === "switch-generation") return each;
      const { generation: _generation, ...current } = each;
      return current;
    }),
    "a generation is written beside, unseen, and a switch shows it whole and drops the rest",
  ],
  "deletes ranges in the current generation only": [
    mutates((each) => {
      if (each.type !== "delete-range") return each;
      const { generation: _generation, ...current } = each;
      return current;
    }),
    "delete-range works in a generation beside",
  ],
  "takes what is meant for a dropped generation": [
    (state) => ({
      commit: (batch) => {
        try {
          state.commit(batch);
        } catch {
          // A late write is dropped, and nobody hears of it.
        }
      },
    }),
    "a generation that was dropped by a switch is refused",
  ],
  "gives out a generation twice": [
    (state) => {
      let given: number | undefined;
      return {
        newGeneration: (shard) => {
          given ??= state.newGeneration(shard);
          return given;
        },
      };
    },
    "generation numbers rise, per shard",
  ],
  "does not switch to what is empty": [
    (state) => {
      const written = new Set<number>();
      return {
        commit: ({ mutations, position }) => {
          for (const { type, generation } of mutations) {
            if (type === "put" && generation !== undefined) written.add(generation);
          }
          const kept = mutations.filter(
            ({ type, generation }) => type !== "switch-generation" || written.has(generation ?? 0),
          );
          state.commit({ mutations: kept, position });
        },
      };
    },
    "a switch to an empty generation empties the shard",
  ],
};

describe("the StateStore suite notices a state that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [members, caseName]) => {
    const time = new VirtualTime();
    const suite = stateStoreConformance(memoryHarness(time, brokenState(members)));
    await failureOf(suite, caseName, time);
  });
});

/** A disk that does something to what is kept, at every power cut. */
function diskThat(spoils: (disk: PersistentMemoryDisk) => void): PersistentHarnessOptions {
  return {
    kept: { logEntries: 0, commits: 1 },
    makeDisk: () => {
      const disk = new PersistentMemoryDisk();
      const crash = disk.crash.bind(disk);
      disk.crash = (kept) => {
        crash(kept);
        spoils(disk);
      };
      return disk;
    },
  };
}

/** The first opening is good, the ones behind it are broken. */
function onceReopened(members: Members): PersistentHarnessOptions {
  return {
    defect: (storage) => (storage.identity.fresh ? storage : brokenState(members)(storage)),
  };
}

const PERSISTENT_DEFECTS: Readonly<Record<string, readonly [PersistentHarnessOptions, string]>> = {
  "forgets its position over a reopening": [
    onceReopened(() => ({ committedPosition: 0 as LogPosition })),
    "a reopened state holds what it held: spaces, shards, generation and position",
  ],
  "goes on with a generation that was not switched to": [
    onceReopened((state) => ({
      commit: ({ mutations, position }) =>
        state.commit({
          mutations: mutations.map(({ generation: _generation, ...each }) => each as StateMutation),
          position,
        }),
    })),
    "a generation that was not switched to is gone after a reopening",
  ],
  "tears a commit in a power cut": [
    diskThat(({ state }) => {
      const last = state.batches.at(-1) as StateBatch;
      state.batches.splice(-1, 1, { ...last, mutations: last.mutations.slice(0, 1) });
    }),
    "a power cut leaves whole commits, in order, and every one that was durable",
  ],
  "takes what is hastened for durable at once": [
    { defect: brokenState(() => ({ hasten: (done) => done() })) },
    "what is hastened survives a power cut once that was said, whatever its position",
  ],
  "tears a switch of generations in a power cut": [
    {
      ...diskThat(({ state }) => {
        const last = state.batches.at(-1) as StateBatch;
        state.batches.splice(-1, 1, { ...last, mutations: last.mutations.slice(0, 1) });
      }),
      kept: { logEntries: 0, commits: 2 },
    },
    "a switch of generations is whole or absent after a power cut",
  ],
  "commits after a failure": [
    {
      defect: brokenState((state) => ({
        commit: (batch) => {
          try {
            state.commit(batch);
          } catch {
            // Nobody hears of it.
          }
        },
      })),
    },
    "a failed commit is told once, and commits throw from then on",
  ],
  "takes damage for absence": [
    {
      defect: brokenState((state) => ({
        get: (shard, space, key) => {
          try {
            return state.get(shard, space, key);
          } catch {
            return undefined;
          }
        },
      })),
    },
    "a damaged entry throws where it is read, names its shard, and ends with a switch",
  ],
};

describe("the StateStore suite notices a persistent state that", () => {
  test.each(Object.entries(PERSISTENT_DEFECTS))("%s", async (_what, [options, caseName]) => {
    const time = new VirtualTime();
    await failureOf(stateStoreConformance(persistentHarness(time, options)), caseName, time);
  });
});

test("every case of the suite is proven by a defect", () => {
  const { cases } = stateStoreConformance(persistentHarness(new VirtualTime()));
  const all = { ...DEFECTS, ...PERSISTENT_DEFECTS };
  const proven = new Set(Object.values(all).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
