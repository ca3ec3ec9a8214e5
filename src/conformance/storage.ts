import type { Storage } from "../core/contracts/storage.ts";
import { isCapstanError } from "../core/model/errors.ts";
import type { LogSequence } from "../core/model/ids.ts";
import { LogProbe } from "./log-store-probe.ts";
import { put, StateProbe } from "./state-store-probe.ts";
import {
  bindCases,
  canCrash,
  crashed,
  isError,
  isPersistent,
  reopened,
  SHARD_A,
  type StorageCase,
  type StorageHarness,
} from "./storage-harness.ts";
import { type ConformanceSuite, check, checkEqual, checkRejects, checkThrows } from "./suite.ts";

const STORE_ID = /^[0-9a-f]{32}$/;

const CASES: readonly StorageCase[] = [
  {
    name: "new storage is fresh, with a store id of 128 bits and incarnation 1",
    run: ({ identity, problems }) => {
      checkEqual(problems, [], "problems");
      check(STORE_ID.test(identity.storeId), `store id ${identity.storeId} is not 32 hex digits`);
      checkEqual(identity.incarnation, 1, "incarnation");
      checkEqual(identity.fresh, true, "fresh");
      checkEqual(identity.kept, "memory", "kept");
    },
  },
  {
    name: "two storages have two store ids",
    run: (storage, harness) =>
      another(harness, (other) => {
        check(other.identity.storeId !== storage.identity.storeId, "two storages share a store id");
      }),
  },
  {
    name: "two storages share nothing",
    run: (storage, harness) =>
      another(harness, (other) => {
        new StateProbe(storage, harness.clock).commit(put("k", "v"));
        new LogProbe(storage, harness.clock).appendBytes(SHARD_A, 1, new Uint8Array(1));
        checkEqual(new StateProbe(other, harness.clock).get("k"), undefined, "the other state");
        checkEqual(other.log.lastSequence(SHARD_A), 0, "the other log");
      }),
  },
  {
    name: "an option that it does not know is refused, and named",
    run: (_storage, harness) =>
      checkRejects(
        harness.open(undefined, { noSuchOption: 1 }),
        (error) =>
          isCapstanError(error) &&
          error.code === "INVALID_CONFIGURATION" &&
          error.message.includes("storage.noSuchOption"),
        "opening with an unknown option",
      ).then(() => undefined),
  },
  {
    name: "close closes both stores, and may be called again",
    run: async (storage, harness) => {
      const state = new StateProbe(storage, harness.clock);
      const log = new LogProbe(storage, harness.clock);
      state.commit(put("k", "v"));
      const position = log.append(SHARD_A, "x");
      await Promise.all([storage.close(), storage.close()]);
      await storage.close();
      checkEqual(storage.log.durablePosition, position, "durablePosition of the log");
      checkEqual(storage.state.durablePosition, 1, "durablePosition of the state");
      checkThrows(() => log.append(SHARD_A, "y"), isError, "append after close");
      checkThrows(() => state.get("k"), isError, "get after close");
    },
  },
  {
    name: "the store id stays over reopenings, and each is the next incarnation",
    needs: isPersistent,
    run: async (storage, harness) => {
      const { storeId } = storage.identity;
      await reopened(harness, storage, async (second) => {
        checkEqual(
          second.identity,
          { storeId, incarnation: 2, fresh: false, kept: "memory" },
          "the second time",
        );
        await reopened(harness, second, (third) => {
          checkEqual(
            third.identity,
            { storeId, incarnation: 3, fresh: false, kept: "memory" },
            "the third time",
          );
        });
      });
    },
  },
  {
    name: "an incarnation is used up by a start that ends in a power cut",
    needs: canCrash,
    run: async (storage, harness) => {
      const { storeId } = storage.identity;
      await crashed(harness, storage, async (second) => {
        checkEqual(
          second.identity,
          { storeId, incarnation: 2, fresh: false, kept: "fsync" },
          "the second time",
        );
        await crashed(harness, second, (third) => {
          checkEqual(third.identity.incarnation, 3, "incarnation the third time");
        });
      });
    },
  },
  {
    name: "what is disowned is set aside at the next opening, which is fresh",
    needs: isPersistent,
    run: async (storage, harness) => {
      const { storeId } = storage.identity;
      const log = new LogProbe(storage, harness.clock);
      new StateProbe(storage, harness.clock).commit(put("k", "v"));
      log.append(SHARD_A, "x");
      await log.makeDurable();
      await storage.disown("it is a copy");
      log.append(SHARD_A, "still writable");
      await log.makeDurable();
      await reopened(harness, storage, (again) => {
        check(again.identity.storeId !== storeId, "the store id has stayed");
        checkEqual(again.identity.fresh, true, "fresh");
        checkEqual(again.identity.incarnation, 1, "incarnation");
        checkEqual(new StateProbe(again, harness.clock).get("k"), undefined, "the state");
        checkEqual(again.log.lastSequence(SHARD_A), 0 as LogSequence, "the log");
        check(
          again.problems.some(({ reason }) => reason.includes("it is a copy")),
          "no problem gives the reason",
        );
      });
    },
  },
  {
    name: "what is being disowned while it closes is disowned once it has closed",
    needs: isPersistent,
    run: async (storage, harness) => {
      const { storeId } = storage.identity;
      const disowned = storage.disown("it is a copy");
      await reopened(harness, storage, (again) => {
        check(again.identity.storeId !== storeId, "the store id has stayed");
      });
      await disowned;
    },
  },
  {
    name: "what is open cannot be opened again",
    needs: isPersistent,
    run: async (storage, harness) => {
      const log = new LogProbe(storage, harness.clock);
      await checkRejects(harness.open(storage), isError, "opening what is open");
      log.append(SHARD_A, "still writable");
      await log.makeDurable();
    },
  },
  {
    name: "over a power cut the log still holds what the state does not cover",
    needs: canCrash,
    run: async (storage, harness) => {
      const log = new LogProbe(storage, harness.clock);
      const state = new StateProbe(storage, harness.clock);
      for (let sequence = 1; sequence <= 12; sequence += 1) {
        log.append(SHARD_A, `${sequence}`);
        await log.makeDurable();
        if (sequence <= 9) state.commit(put("last", `${sequence}`));
        if (sequence === 6) await state.durable();
        log.release(SHARD_A, storage.state.durablePosition + 1);
      }
      await crashed(harness, storage, async (again) => {
        const covered = Number(new StateProbe(again, harness.clock).get("last"));
        check(covered >= 6, `the state covers ${covered}, and 6 was durable`);
        check(
          again.state.committedPosition <= again.log.durablePosition,
          "the state leads the log",
        );
        const kept = await new LogProbe(again, harness.clock).texts(SHARD_A, covered + 1);
        const expected = Array.from({ length: 12 - covered }, (_, at) => covered + 1 + at);
        checkEqual(
          kept,
          expected.map((each) => `${each}:${each}`),
          "records behind the state",
        );
        checkEqual(again.log.lastSequence(SHARD_A), 12 as LogSequence, "lastSequence");
      });
    },
  },
];

async function another(
  harness: StorageHarness,
  use: (storage: Storage) => Promise<void> | void,
): Promise<void> {
  const storage = await harness.open();
  try {
    await use(storage);
  } finally {
    await storage.close();
  }
}

/** One case for each obligation of the `Storage` contract: what both stores share. */
export function storageConformance(harness: StorageHarness): ConformanceSuite {
  return { name: "Storage", cases: bindCases(harness, CASES) };
}
