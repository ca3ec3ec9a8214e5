import { DURABILITIES } from "../core/model/durability.ts";
import type { LogSequence } from "../core/model/ids.ts";
import { LogProbe } from "./log-store-probe.ts";
import { isError, SHARD_A, SHARD_B, SHARD_C, type StorageCase } from "./storage-harness.ts";
import { check, checkEqual, checkThrows, pause, until } from "./suite.ts";

/** Long enough for a sync that nobody asked for to show. */
const IDLE_MS = 30;

function isRangeError(error: unknown): boolean {
  return error instanceof RangeError;
}

/** Appending, positions, flushing, and what handlers are told. */
export const APPEND_CASES: readonly StorageCase[] = Object.freeze<StorageCase[]>([
  {
    name: "capabilities say whether the log is persistent",
    run: ({ log }, { persistent }) => {
      checkEqual(log.capabilities.persistent, persistent, "capabilities.persistent");
    },
  },
  {
    name: "a new log is empty and durable",
    run: ({ log }) => {
      checkEqual(log.lastPosition, log.durablePosition, "durablePosition of a new log");
      checkEqual(log.lastSequence(SHARD_A), 0, "lastSequence of a shard that was never written");
    },
  },
  {
    name: "positions rise by one over all shards",
    run: (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      const start = storage.log.lastPosition;
      const given = [
        probe.append(SHARD_A, "a1"),
        probe.append(SHARD_B, "b1"),
        probe.append(SHARD_A, "a2"),
        probe.truncateSuffix(SHARD_A, 1),
        probe.reset(SHARD_B, 7),
      ];
      checkEqual(
        given,
        [1, 2, 3, 4, 5].map((n) => start + n),
        "positions",
      );
      checkEqual(storage.log.lastPosition, start + 5, "lastPosition");
    },
  },
  {
    name: "lastSequence follows every append, per shard",
    run: (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      const appended = [
        [SHARD_A, 1],
        [SHARD_B, 1],
        [SHARD_A, 2],
        [SHARD_A, 3],
      ] as const;
      for (const [shard, at] of appended) probe.appendBytes(shard, at, new Uint8Array(1));
      const known = [SHARD_A, SHARD_B, SHARD_C].map((shard) => storage.log.lastSequence(shard));
      checkEqual(known, [3, 1, 0], "lastSequence of three shards");
    },
  },
  {
    name: "a sequence that is not the next is refused, and nothing is taken",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.append(SHARD_A, "one");
      const position = storage.log.lastPosition;
      for (const sequence of [0, 1, 3, 1.5, Number.NaN]) {
        checkThrows(
          () => probe.appendBytes(SHARD_A, sequence, new Uint8Array(1)),
          isRangeError,
          `append of sequence ${sequence} behind 1`,
        );
      }
      checkEqual(storage.log.lastPosition, position, "lastPosition after refusals");
      checkEqual(await probe.texts(SHARD_A), ["1:one"], "records after refusals");
    },
  },
  {
    name: "nothing is announced without a flush",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.append(SHARD_A, "x", "memory");
      probe.append(SHARD_A, "y", "fsync");
      await pause(clock, IDLE_MS);
      checkEqual(probe.announcements.length, 0, "announcements before the first flush");
      check(
        storage.log.durablePosition < storage.log.lastPosition,
        "durablePosition covers what was never flushed",
      );
    },
  },
  {
    name: "a flush makes all that was appended durable, of every durability",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (const durability of DURABILITIES) probe.append(SHARD_A, durability, durability);
      await probe.makeDurable();
      checkEqual(storage.log.durablePosition, storage.log.lastPosition, "durablePosition");
    },
  },
  {
    name: "syncedPosition covers what is durable as fsync, if anything survives a power cut",
    run: async (storage, { clock, persistent }) => {
      const probe = new LogProbe(storage, clock);
      const position = probe.append(SHARD_A, "x", "fsync");
      await probe.makeDurable();
      checkEqual(storage.log.syncedPosition, persistent ? position : 0, "syncedPosition");
    },
  },
  {
    name: "what is appended behind a flush waits for the next one",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      const first = probe.append(SHARD_A, "one");
      probe.flush();
      const second = probe.append(SHARD_A, "two");
      await probe.durable(first);
      await pause(clock, IDLE_MS);
      check(
        probe.announcements.every(({ position }) => position < second),
        "a record was announced before it was flushed",
      );
      await probe.makeDurable();
    },
  },
  {
    name: "onDurable runs inside flush or outside of every call",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (let round = 0; round < 10; round += 1) {
        probe.append(SHARD_A, "x", "memory");
        probe.truncateSuffix(SHARD_A, round + 1);
        await probe.read(SHARD_A);
        probe.release(SHARD_B, 1);
        await probe.makeDurable();
      }
      for (const { during } of probe.announcements) {
        check(during === undefined || during === "flush", `onDurable ran inside ${during}`);
      }
    },
  },
  {
    name: "announced positions rise strictly, and durablePosition is there already",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (let round = 0; round < 20; round += 1) {
        probe.append(SHARD_A, "a");
        probe.append(SHARD_B, "b");
        probe.flush();
        if (round % 5 === 0) await probe.durable(storage.log.lastPosition);
      }
      await probe.makeDurable();
      let last = 0;
      for (const { position, durable } of probe.announcements) {
        check(position > last, `onDurable(${position}) after onDurable(${last})`);
        checkEqual(durable, position, "durablePosition inside onDurable");
        last = position;
      }
      checkEqual(last, storage.log.lastPosition, "the last announcement");
    },
  },
  {
    name: "a flush with nothing new announces nothing",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.flush();
      probe.append(SHARD_A, "x");
      await probe.makeDurable();
      const count = probe.announcements.length;
      probe.flush();
      await pause(clock, IDLE_MS);
      checkEqual(probe.announcements.length, count, "announcements");
    },
  },
  {
    name: "a handler may append and flush, and is not nested",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      let depth = 0;
      let deepest = 0;
      probe.onDurable = () => {
        depth += 1;
        deepest = Math.max(deepest, depth);
        if (storage.log.lastSequence(SHARD_A) < 5) {
          probe.append(SHARD_A, "from the handler");
          probe.flush();
        }
        depth -= 1;
      };
      probe.append(SHARD_A, "first");
      probe.flush();
      await until(
        clock,
        () =>
          storage.log.lastSequence(SHARD_A) === 5 &&
          storage.log.durablePosition === storage.log.lastPosition,
        "what the handler appended to be durable",
      );
      checkEqual(storage.log.lastSequence(SHARD_A), 5, "records in the end");
      checkEqual(deepest, 1, "handlers inside one another");
    },
  },
  {
    name: "a log that works says so",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.append(SHARD_A, "x");
      await probe.makeDurable();
      const health = storage.log.health();
      checkEqual(health.damagedShards, [], "damagedShards");
      check(health.state !== "failed", "a log that works says that it has failed");
      checkEqual(storage.log.queuedBytes, 0, "queuedBytes with everything durable");
    },
  },
  {
    name: "close makes everything durable that was appended, flushed or not",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.append(SHARD_A, "flushed");
      probe.flush();
      probe.append(SHARD_A, "not flushed");
      const last = storage.log.lastPosition;
      await storage.log.close();
      checkEqual(probe.announcements.at(-1)?.position, last, "announced when close settled");
      checkEqual(storage.log.durablePosition, last, "durablePosition when close settled");
    },
  },
  {
    name: "close answers the reads that are under way",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      probe.append(SHARD_A, "x");
      let answers = 0;
      storage.log.read(SHARD_A, 1 as LogSequence, 100, ({ type }) => {
        checkEqual(type, "records", "the answer of a read under way");
        answers += 1;
      });
      await storage.log.close();
      checkEqual(answers, 1, "answers when close settled");
    },
  },
  {
    name: "close may be called again, and everything else throws",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      await storage.log.close();
      await storage.log.close();
      const calls: Readonly<Record<string, () => unknown>> = {
        append: () => probe.appendBytes(SHARD_A, 1, new Uint8Array(1)),
        flush: () => storage.log.flush(),
        lastSequence: () => storage.log.lastSequence(SHARD_A),
        read: () => storage.log.read(SHARD_A, 1 as LogSequence, 1, () => undefined),
        truncateSuffix: () => probe.truncateSuffix(SHARD_A, 0),
        reset: () => probe.reset(SHARD_A, 1),
        release: () => probe.release(SHARD_A, 1),
      };
      for (const [name, call] of Object.entries(calls)) {
        checkThrows(call, isError, `${name} on a closed log`);
      }
      storage.log.health();
    },
  },
]);
