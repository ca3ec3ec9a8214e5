import type { LogSequence } from "../core/model/ids.ts";
import { LogProbe } from "./log-store-probe.ts";
import {
  canCrash,
  crashed,
  isError,
  isPersistent,
  reopened,
  SHARD_A,
  SHARD_B,
  type StorageCase,
} from "./storage-harness.ts";
import { check, checkEqual, checkThrows, until } from "./suite.ts";

const REOPENINGS: readonly StorageCase[] = [
  {
    name: "a reopened log holds what it held, cuts and resets too",
    needs: isPersistent,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (const text of ["a", "b", "c"]) probe.append(SHARD_A, text);
      probe.append(SHARD_B, "old");
      probe.truncateSuffix(SHARD_A, 1);
      probe.append(SHARD_A, "B");
      probe.reset(SHARD_B, 8);
      probe.append(SHARD_B, "new");
      await reopened(harness, storage, async (again) => {
        const second = new LogProbe(again, harness.clock);
        checkEqual(await second.texts(SHARD_A), ["1:a", "2:B"], "records");
        checkEqual(await second.texts(SHARD_B, 8), ["8:new"], "records after a reset");
        checkEqual(again.log.lastSequence(SHARD_B), 8, "lastSequence");
        checkEqual(again.log.health().damagedShards, [], "damagedShards");
      });
    },
  },
  {
    name: "positions go on over a reopening",
    needs: isPersistent,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (let at = 0; at < 5; at += 1) probe.append(SHARD_A, "x");
      await probe.makeDurable();
      const last = storage.log.lastPosition;
      await reopened(harness, storage, async (again) => {
        check(again.log.lastPosition >= last, "lastPosition fell over a reopening");
        checkEqual(again.log.durablePosition, again.log.lastPosition, "durable at opening");
        const second = new LogProbe(again, harness.clock);
        const next = second.append(SHARD_A, "y");
        check(next > last, `position ${next} was given out before`);
        await second.makeDurable();
        checkEqual(second.announcements.at(-1)?.position, next, "announced");
      });
    },
  },
  {
    name: "lastSequence survives release and reopening",
    needs: isPersistent,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (let at = 0; at < 3; at += 1) probe.append(SHARD_A, "x");
      await probe.makeDurable();
      probe.release(SHARD_A, 4);
      await reopened(harness, storage, async (again) => {
        checkEqual(again.log.lastSequence(SHARD_A), 3, "lastSequence");
        const second = new LogProbe(again, harness.clock);
        second.append(SHARD_A, "y");
        checkEqual(await second.texts(SHARD_A, 4), ["4:y"], "records appended since");
      });
    },
  },
];

const CRASHES: readonly StorageCase[] = [
  {
    name: "a power cut loses nothing that was announced as durable",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (let at = 1; at <= 20; at += 1) probe.append(SHARD_A, `${at}`, "fsync");
      await probe.makeDurable();
      probe.append(SHARD_A, "never flushed");
      await crashed(harness, storage, async (again) => {
        const second = new LogProbe(again, harness.clock);
        const texts = await second.texts(SHARD_A);
        checkEqual(
          texts.slice(0, 20),
          Array.from({ length: 20 }, (_, at) => `${at + 1}:${at + 1}`),
          "durable records",
        );
      });
    },
  },
  {
    name: "a power cut leaves a beginning of the log over all shards, which goes on",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (let at = 1; at <= 30; at += 1) {
        probe.append(SHARD_A, `${at}`);
        probe.append(SHARD_B, `${at}`);
        if (at % 10 === 0) probe.flush();
      }
      await crashed(harness, storage, async (again) => {
        const second = new LogProbe(again, harness.clock);
        const [a, b] = [await second.texts(SHARD_A), await second.texts(SHARD_B)];
        check(
          a.length === b.length || a.length === b.length + 1,
          `${a.length} and ${b.length} kept`,
        );
        checkEqual(
          a,
          Array.from(a, (_, at) => `${at + 1}:${at + 1}`),
          "records of one shard",
        );
        checkEqual(again.log.lastSequence(SHARD_A), a.length, "lastSequence");
        checkEqual(again.log.durablePosition, again.log.lastPosition, "durable at opening");
        second.append(SHARD_A, "next");
        await second.makeDurable();
        checkEqual((await second.texts(SHARD_A)).length, a.length + 1, "records in the end");
      });
    },
  },
  {
    name: "a cut and a reset that were announced hold over a power cut",
    needs: canCrash,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (const text of ["a", "b", "c"]) probe.append(SHARD_A, text);
      probe.append(SHARD_B, "old");
      probe.truncateSuffix(SHARD_A, 1);
      probe.reset(SHARD_B, 5);
      await probe.makeDurable();
      await crashed(harness, storage, async (again) => {
        const second = new LogProbe(again, harness.clock);
        checkEqual(await second.texts(SHARD_A), ["1:a"], "records after the cut");
        checkEqual(again.log.lastSequence(SHARD_B), 4, "lastSequence after the reset");
      });
    },
  },
];

const FAULTS: readonly StorageCase[] = [
  {
    name: "a failed sync is told once, appends throw from then on, reads go on",
    needs: ({ faults }) => faults?.failLogSync !== undefined,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      probe.append(SHARD_A, "good");
      await probe.makeDurable();
      const durable = storage.log.durablePosition;
      harness.faults?.failLogSync?.(storage);
      probe.append(SHARD_A, "lost");
      probe.flush();
      await until(harness.clock, () => probe.failures.length > 0, "onFailed");
      for (let again = 0; again < 3; again += 1) {
        checkThrows(() => probe.append(SHARD_A, "more"), isError, "append after onFailed");
      }
      const result = await probe.read(SHARD_A);
      check(result.type === "records" && result.records.length > 0, "reads ended with the failure");
      checkEqual(storage.log.health().state, "failed", "health().state");
      await storage.log.close();
      checkEqual(probe.failures.length, 1, "calls of onFailed");
      checkEqual(storage.log.durablePosition, durable, "durablePosition after the failure");
    },
  },
  {
    name: "a damaged record is reported, its shard's reads say so, others go on",
    needs: ({ persistent, faults }) => persistent && faults?.damageLogRecord !== undefined,
    run: async (storage, harness) => {
      const probe = new LogProbe(storage, harness.clock);
      for (const text of ["a", "b", "c"]) {
        probe.append(SHARD_A, text);
        probe.append(SHARD_B, text);
        await probe.makeDurable();
      }
      await storage.close();
      await harness.faults?.damageLogRecord?.(storage, SHARD_A, 2 as LogSequence);
      await reopened(harness, storage, async (again) => {
        const second = new LogProbe(again, harness.clock);
        checkEqual((await second.read(SHARD_A)).type, "damaged", "read of the damaged shard");
        checkEqual(again.log.health().damagedShards, [SHARD_A], "damagedShards");
        checkEqual(await second.texts(SHARD_B), ["1:a", "2:b", "3:c"], "another shard's records");
        second.reset(SHARD_A, 4);
        second.append(SHARD_A, "d");
        await second.makeDurable();
        checkEqual(await second.texts(SHARD_A, 4), ["4:d"], "the shard after its reset");
        checkEqual(again.log.health().damagedShards, [], "damagedShards after the reset");
      });
    },
  },
];

/** What a persistent log keeps, and what faults may do. */
export const REOPEN_CASES: readonly StorageCase[] = Object.freeze([
  ...REOPENINGS,
  ...CRASHES,
  ...FAULTS,
]);
