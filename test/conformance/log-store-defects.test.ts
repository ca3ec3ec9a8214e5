import { describe, expect, test } from "vitest";
import { logStoreConformance } from "../../src/conformance/log-store.ts";
import type { LogHandlers, LogRecord, LogStore } from "../../src/core/contracts/storage.ts";
import type { LogPosition, LogSequence, ShardId } from "../../src/core/model/ids.ts";
import { failureOf } from "../support/bind-suite.ts";
import { brokenLog } from "../support/broken-storage.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";
import {
  memoryHarness,
  type PersistentHarnessOptions,
  persistentHarness,
} from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

type Members = (log: LogStore) => Partial<LogStore>;

const next = (sequence: number, by = 1): LogSequence => (sequence + by) as LogSequence;

/** Changes what the log tells its handlers. */
function tells(change: (handlers: LogHandlers, log: LogStore) => Partial<LogHandlers>): Members {
  return (log) => ({
    start: (handlers) => log.start({ ...bound(handlers), ...change(bound(handlers), log) }),
  });
}

function bound(handlers: LogHandlers): LogHandlers {
  return {
    onDurable: (position) => handlers.onDurable(position),
    onFailed: (error) => handlers.onFailed(error),
  };
}

/** Changes the records that reads give. */
function reads(change: (records: readonly LogRecord[]) => readonly LogRecord[]): Members {
  return (log) => ({
    read: (shard, from, maxBytes, done) =>
      log.read(shard, from, maxBytes, (result) =>
        done(result.type === "records" ? { ...result, records: change(result.records) } : result),
      ),
  });
}

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Members, string]>> = {
  "says that it is persistent": [
    () => ({ capabilities: { persistent: true } }),
    "capabilities say whether the log is persistent",
  ],
  "takes memory for stable storage": [
    () => ({ syncedPosition: 1 as LogPosition }),
    "syncedPosition covers what is durable as fsync, if anything survives a power cut",
  ],
  "begins with sequence 1 known": [
    (log) => ({ lastSequence: (shard) => Math.max(1, log.lastSequence(shard)) as LogSequence }),
    "a new log is empty and durable",
  ],
  "gives out positions per shard": [
    (log) => ({
      append: (record, durability) => {
        log.append(record, durability);
        return record.sequence as unknown as LogPosition;
      },
    }),
    "positions rise by one over all shards",
  ],
  "knows the last sequence only once it is durable": [
    () => ({ lastSequence: () => 0 as LogSequence }),
    "lastSequence follows every append, per shard",
  ],
  "renumbers records that leave a hole": [
    (log) => ({
      append: (record, durability) =>
        log.append({ ...record, sequence: next(log.lastSequence(record.shard)) }, durability),
    }),
    "a sequence that is not the next is refused, and nothing is taken",
  ],
  "writes memory records at once": [
    (log) => ({
      append: (record, durability) => {
        const position = log.append(record, durability);
        if (durability === "memory") log.flush();
        return position;
      },
    }),
    "nothing is announced without a flush",
  ],
  "forgets to write": [
    () => ({ flush: () => undefined }),
    "a flush makes all that was appended durable, of every durability",
  ],
  "writes what was appended behind the flush as well": [
    (log) => {
      let wasFlushed = false;
      return {
        flush: () => {
          wasFlushed = true;
          log.flush();
        },
        append: (record, durability) => {
          const position = log.append(record, durability);
          if (wasFlushed) log.flush();
          return position;
        },
      };
    },
    "what is appended behind a flush waits for the next one",
  ],
  "writes while it cuts": [
    (log) => ({
      truncateSuffix: (shard, sequence) => {
        const position = log.truncateSuffix(shard, sequence);
        log.flush();
        return position;
      },
    }),
    "onDurable runs inside flush or outside of every call",
  ],
  "announces twice": [
    tells((handlers) => ({
      onDurable: (position) => {
        handlers.onDurable(position);
        handlers.onDurable(position);
      },
    })),
    "announced positions rise strictly, and durablePosition is there already",
  ],
  "announces whenever it is asked to write": [
    (log) => {
      let told: LogHandlers | undefined;
      return {
        start: (handlers) => {
          told = handlers;
          log.start(handlers);
        },
        flush: () => {
          const isNew = log.durablePosition < log.lastPosition;
          log.flush();
          if (!isNew) told?.onDurable(log.durablePosition);
        },
      };
    },
    "a flush with nothing new announces nothing",
  ],
  "nests its handlers": [
    (log) => {
      let told: LogHandlers | undefined;
      let durable = log.durablePosition;
      return {
        start: (handlers) => {
          told = handlers;
          log.start({ onDurable: () => undefined, onFailed: () => undefined });
        },
        flush: () => {
          log.flush();
          if (durable === log.lastPosition) return;
          durable = log.lastPosition;
          told?.onDurable(durable);
        },
      };
    },
    "a handler may append and flush, and is not nested",
  ],
  "never empties its queue": [() => ({ queuedBytes: 1 }), "a log that works says so"],
  "closes without writing": [
    () => ({ close: () => Promise.resolve() }),
    "close makes everything durable that was appended, flushed or not",
  ],
  "drops the reads that are under way": [
    (log) => {
      let isClosed = false;
      return {
        read: (shard, from, maxBytes, done) =>
          log.read(shard, from, maxBytes, (result) => {
            if (!isClosed) done(result);
          }),
        close: () => {
          isClosed = true;
          return log.close();
        },
      };
    },
    "close answers the reads that are under way",
  ],
  "takes cuts after it was closed": [
    (log) => ({ truncateSuffix: () => log.lastPosition }),
    "close may be called again, and everything else throws",
  ],
  "answers reads inside the call": [
    () => ({
      read: (_shard, _from, _max, done) => done({ type: "records", records: [], end: true }),
    }),
    "a read behind the last record is empty and at the end",
  ],
  "gives records newest first": [
    reads((records) => [...records].reverse()),
    "a read gives the shard's records in order, and no other shard's",
  ],
  "reads one record too few": [
    reads((records) => records.slice(0, -1)),
    "a read sees records that are not durable yet",
  ],
  "reads from behind `from`": [
    (log) => ({ read: (shard, from, max, done) => log.read(shard, next(from), max, done) }),
    "a read begins at `from`, and below 1 at 1",
  ],
  "reads without end": [
    (log) => ({ read: (shard, from, _max, done) => log.read(shard, from, 1e9, done) }),
    "a read stops at `maxBytes`, gives at least one record, and says when it is at the end",
  ],
  "keeps payloads in 65,535 bytes": [
    reads((records) =>
      records.map((each) => ({ ...each, payload: each.payload.subarray(0, 65_535) })),
    ),
    "payloads come back byte for byte: empty, large, and part of a larger buffer",
  ],
  "cuts one record too many": [
    (log) => ({
      truncateSuffix: (shard, sequence) =>
        log.truncateSuffix(shard, Math.max(0, sequence - 1) as LogSequence),
    }),
    "truncateSuffix drops the records above, and the shard goes on from there",
  ],
  "takes a cut above the end for a new end": [
    (log) => {
      const ends = new Map<ShardId, LogSequence>();
      return {
        truncateSuffix: (shard, sequence) => {
          ends.set(shard, sequence);
          return log.truncateSuffix(shard, sequence);
        },
        lastSequence: (shard) => ends.get(shard) ?? log.lastSequence(shard),
      };
    },
    "truncateSuffix at or above the last record drops nothing",
  ],
  "cuts the neighbour as well": [
    (log) => ({
      truncateSuffix: (shard, sequence) => {
        log.truncateSuffix((shard + 1) as ShardId, sequence);
        return log.truncateSuffix(shard, sequence);
      },
    }),
    "truncateSuffix leaves other shards alone",
  ],
  "cuts without a record": [
    (log) => ({
      truncateSuffix: (shard, sequence) => {
        log.truncateSuffix(shard, sequence);
        return (log.lastPosition - 1) as LogPosition;
      },
    }),
    "truncateSuffix and reset are announced like records",
  ],
  "goes on one too far after a reset": [
    (log) => ({ reset: (shard, sequence) => log.reset(shard, next(sequence)) }),
    "reset forgets the shard, which goes on with the sequence that was named",
  ],
  "releases one record too many": [
    (log) => ({ release: (shard, sequence) => log.release(shard, next(sequence)) }),
    "what was released is compacted, the rest is there",
  ],
  "forgets a shard that is released whole": [
    (log) => ({
      release: (shard, sequence) => {
        if (sequence > log.lastSequence(shard)) log.reset(shard, 1 as LogSequence);
        else log.release(shard, sequence);
      },
    }),
    "lastSequence survives the release of everything",
  ],
  "takes the last release for the greatest": [
    (log) => {
      let latest = 0;
      return {
        release: (_shard, sequence) => {
          latest = sequence;
        },
        read: (shard, from, max, done) =>
          log.read(shard, from, max, (result) =>
            done(from < latest ? { type: "compacted", first: latest as LogSequence } : result),
          ),
      };
    },
    "a release never takes effect backwards",
  ],
  "cuts below what was released": [
    () => ({ release: () => undefined }),
    "a cut below what was released is refused",
  ],
  "drops a record when it compacts": [
    (log) => {
      let count = 0;
      return {
        release: (shard, sequence) => {
          count += 1;
          log.release(shard, count % 3 === 0 ? next(sequence, 30) : sequence);
        },
      };
    },
    "appends and releases that go on for long keep every record that is needed",
  ],
};

describe("the LogStore suite notices a log that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [members, caseName]) => {
    const time = new VirtualTime();
    const suite = logStoreConformance(memoryHarness(time, brokenLog(members)));
    await failureOf(suite, caseName, time);
  });
});

/** A disk that does something to what is kept, at every power cut. */
function diskThat(spoils: (disk: PersistentMemoryDisk) => void): PersistentHarnessOptions {
  return {
    makeDisk: () => {
      const disk = new PersistentMemoryDisk();
      const crash = disk.crash.bind(disk);
      disk.crash = (kept) => {
        crash(kept);
        spoils(disk);
        disk.log.synced = disk.log.entries.length;
      };
      return disk;
    },
  };
}

/** The first opening is good, the ones behind it are broken. */
function onceReopened(members: Members): PersistentHarnessOptions {
  return {
    defect: (storage) => (storage.identity.fresh ? storage : brokenLog(members)(storage)),
  };
}

const PERSISTENT_DEFECTS: Readonly<Record<string, readonly [PersistentHarnessOptions, string]>> = {
  "forgets a reset over a reopening": [
    onceReopened(() => ({ lastSequence: () => 1 as LogSequence })),
    "a reopened log holds what it held, cuts and resets too",
  ],
  "counts positions anew after a reopening": [
    onceReopened(() => ({ lastPosition: 0 as LogPosition, durablePosition: 0 as LogPosition })),
    "positions go on over a reopening",
  ],
  "forgets released shards over a reopening": [
    onceReopened(() => ({ lastSequence: () => 0 as LogSequence })),
    "lastSequence survives release and reopening",
  ],
  "loses the last durable record in a power cut": [
    diskThat(({ log }) => log.entries.pop()),
    "a power cut loses nothing that was announced as durable",
  ],
  "keeps each shard's records by themselves": [
    {
      ...diskThat(({ log }) => {
        const isKept = log.entries.map((_entry, at) => at < 14 || at % 2 === 0);
        log.entries.splice(0, log.entries.length, ...log.entries.filter((_, at) => isKept[at]));
      }),
      kept: { logEntries: 24, commits: 0 },
    },
    "a power cut leaves a beginning of the log over all shards, which goes on",
  ],
  "undoes a cut in a power cut": [
    diskThat(({ log }) => {
      const kept = log.entries.filter(({ type }) => type !== "truncate");
      log.entries.splice(0, log.entries.length, ...kept);
    }),
    "a cut and a reset that were announced hold over a power cut",
  ],
  "takes records after a failed sync": [
    {
      defect: brokenLog((log) => ({
        append: (record, durability) => {
          const isFailed = log.health().state === "failed";
          return isFailed ? log.lastPosition : log.append(record, durability);
        },
      })),
    },
    "a failed sync is told once, appends throw from then on, reads go on",
  ],
  "leaves a damaged record out": [
    {
      defect: brokenLog((log) => ({
        health: () => ({ ...log.health(), damagedShards: [] }),
        read: (shard, from, max, done) =>
          log.read(shard, from, max, (result) =>
            done(result.type === "damaged" ? { type: "records", records: [], end: true } : result),
          ),
      })),
    },
    "a damaged record is reported, its shard's reads say so, others go on",
  ],
};

describe("the LogStore suite notices a persistent log that", () => {
  test.each(Object.entries(PERSISTENT_DEFECTS))("%s", async (_what, [options, caseName]) => {
    const time = new VirtualTime();
    await failureOf(logStoreConformance(persistentHarness(time, options)), caseName, time);
  });
});

test("every case of the suite is proven by a defect", () => {
  const { cases } = logStoreConformance(persistentHarness(new VirtualTime()));
  const all = { ...DEFECTS, ...PERSISTENT_DEFECTS };
  const proven = new Set(Object.values(all).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
