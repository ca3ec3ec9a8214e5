import { NODE_SHARD, StateDamageError } from "../core/contracts/storage.ts";
import { checkListing, put, puts, StateProbe, switchTo } from "./state-store-probe.ts";
import {
  canCrash,
  crashed,
  isError,
  isPersistent,
  reopened,
  SHARD_A,
  SHARD_B,
  type StorageCase,
  type StorageHarness,
  utf8,
} from "./storage-harness.ts";
import { check, checkEqual, checkThrows, until } from "./suite.ts";

const KEEPING: readonly StorageCase[] = [
  {
    name: "a reopened state holds what it held: spaces, shards, generation and position",
    needs: isPersistent,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      probe.commit(...puts("a=1 b=2"), put("clock", "99", { shard: NODE_SHARD, space: "meta" }));
      const generation = probe.state.newGeneration(SHARD_A);
      probe.commit(...puts("c=3 d=4", { generation }), switchTo(generation));
      const position = probe.commit(put("s", "5", { space: "side" }));
      await reopened(harness, storage, (again) => {
        const second = new StateProbe(again, harness.clock);
        checkListing(second.list(), "c=3 d=4", "data");
        checkListing(second.list("side"), "s=5", "side");
        checkEqual(second.get("clock", "meta", NODE_SHARD), "99", "meta of the node");
        const { committedPosition, durablePosition } = again.state;
        checkEqual([committedPosition, durablePosition], [position, position], "positions");
        const current = again.state.shards().find(({ shard }) => shard === SHARD_A);
        checkEqual(current?.generation, generation, "generation");
        check(again.state.newGeneration(SHARD_A) > generation, "a generation is given out twice");
      });
    },
  },
  {
    name: "a generation that was not switched to is gone after a reopening",
    needs: isPersistent,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      probe.commit(put("a", "1"));
      const generation = probe.state.newGeneration(SHARD_A);
      probe.commit(...puts("a=2 b=2", { generation }));
      await reopened(harness, storage, (again) => {
        const second = new StateProbe(again, harness.clock);
        checkListing(second.list(), "a=1", "the current generation");
        const late = put("c", "3", { generation });
        checkThrows(() => second.commit(late), isError, "a put into the generation that is gone");
        const next = again.state.newGeneration(SHARD_A);
        second.commit(put("z", "3", { generation: next }), switchTo(next));
        checkListing(second.list(), "z=3", "a generation begun since");
      });
    },
  },
];

async function hastened({ state }: StateProbe, { clock }: StorageHarness): Promise<void> {
  let isDurable = false;
  state.hasten(() => {
    isDurable = true;
  });
  await until(clock, () => isDurable, "what was hastened");
}

const CRASHES: readonly StorageCase[] = [
  {
    name: "a power cut leaves whole commits, in order, and every one that was durable",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      const commit = (at: number) =>
        probe.commit(put("k", `${at}`), put("l", `${at}`), put(`n${at}`, "x"));
      for (let at = 1; at <= 10; at += 1) commit(at);
      await probe.durable();
      for (let at = 11; at <= 20; at += 1) commit(at);
      const durable = probe.state.durablePosition;
      await crashed(harness, storage, (again) => {
        const second = new StateProbe(again, harness.clock);
        const last = again.state.committedPosition;
        check(last >= durable && last <= 20, `position ${last} with ${durable} durable before`);
        checkEqual(again.state.durablePosition, last, "durablePosition at opening");
        const numbers = Array.from({ length: last }, (_, at) => `n${at + 1}`).sort();
        const present = numbers.map((key) => `${key}=x`);
        const expected = [`k=${last}`, `l=${last}`, ...present].join(" ");
        checkListing(second.list(), expected, `entries at position ${last}`);
      });
    },
  },
  {
    name: "what is hastened survives a power cut once that was said, whatever its position",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      const position = probe.commit(put("first", "1"));
      await hastened(probe, harness);
      // At a position that is durable already: only the store can tell them apart.
      probe.state.commit({ mutations: puts("second=2"), position });
      await hastened(probe, harness);
      probe.state.commit({ mutations: puts("third=3"), position });
      const again = hastened(probe, harness);
      const twice = hastened(probe, harness);
      await Promise.all([again, twice]);
      await crashed(harness, storage, (after) => {
        const second = new StateProbe(after, harness.clock);
        checkListing(second.list(), "first=1 second=2 third=3", "entries");
      });
    },
  },
  {
    name: "a switch of generations is whole or absent after a power cut",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      probe.commit(...puts("a=old b=old"));
      await probe.durable();
      const generation = probe.state.newGeneration(SHARD_A);
      probe.commit(...puts("a=new c=new", { generation }));
      probe.commit(switchTo(generation), put("position", "new", { space: "meta" }));
      await crashed(harness, storage, (again) => {
        const second = new StateProbe(again, harness.clock);
        const isNew = second.get("position", "meta") === "new";
        checkListing(second.list(), isNew ? "a=new c=new" : "a=old b=old", "entries");
      });
    },
  },
];

const FAULTS: readonly StorageCase[] = [
  {
    name: "a failed commit is told once, and commits throw from then on",
    needs: ({ faults }) => faults?.failStateSync !== undefined,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      probe.commit(put("k", "good"));
      await probe.durable();
      const durable = probe.state.durablePosition;
      harness.faults?.failStateSync?.(storage);
      probe.commit(put("k", "lost"));
      await until(harness.clock, () => probe.failures.length > 0, "onFailed");
      for (let again = 0; again < 3; again += 1) {
        checkThrows(() => probe.commit(put("k", "more")), isError, "commit after onFailed");
      }
      await storage.state.close();
      checkEqual(probe.failures.length, 1, "calls of onFailed");
      checkEqual(probe.state.durablePosition, durable, "durablePosition after the failure");
    },
  },
  {
    name: "a damaged entry throws where it is read, names its shard, and ends with a switch",
    needs: ({ persistent, faults }) => persistent && faults?.damageStateEntry !== undefined,
    run: async (storage, harness) => {
      const probe = new StateProbe(storage, harness.clock);
      probe.commit(...puts("a=1 b=2 c=3"), ...puts("b=2", { shard: SHARD_B }));
      await storage.close();
      await harness.faults?.damageStateEntry?.(storage, SHARD_A, "data", utf8("b"));
      await reopened(harness, storage, (again) => {
        const second = new StateProbe(again, harness.clock);
        const isDamage = (error: unknown) =>
          error instanceof StateDamageError && error.shard === SHARD_A;
        checkThrows(() => second.get("b"), isDamage, "get of the damaged entry");
        checkThrows(() => second.list(), isDamage, "range over the damaged entry");
        checkEqual(second.get("b", "data", SHARD_B), "2", "another shard");
        const listed = again.state.shards().map(({ shard }) => shard);
        checkEqual(listed.sort(ascending), [SHARD_A, SHARD_B], "shards");
        try {
          checkEqual(second.get("a"), "1", "another entry of the shard, where it can be read");
        } catch (error) {
          if (!isDamage(error)) throw error;
        }
        second.commit(put("x", "beside"));
        const generation = again.state.newGeneration(SHARD_A);
        second.commit(put("d", "4", { generation }), switchTo(generation));
        checkListing(second.list(), "d=4", "the generation that was switched to");
      });
    },
  },
];

function ascending(a: number, b: number): number {
  return a - b;
}

/** What persistent state keeps, and what faults may do. */
export const REOPEN_CASES: readonly StorageCase[] = Object.freeze([
  ...KEEPING,
  ...CRASHES,
  ...FAULTS,
]);
