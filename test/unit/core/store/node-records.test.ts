import { describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { NODE_SHARD, type Storage } from "../../../../src/core/contracts/storage.ts";
import { NodeRecords } from "../../../../src/core/store/node-records.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString("utf8");
}

async function openStorage(disk: PersistentMemoryDisk): Promise<Storage> {
  const environment = new VirtualEnvironment({ time });
  return disk.factory({}, { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER });
}

/** Records over a host that appends at once, and commits when it is told. */
async function openOn(disk: PersistentMemoryDisk) {
  const storage = await openStorage(disk);
  const records = await runVirtually(time, NodeRecords.open(storage));
  const failures: string[] = [];
  const commits: (() => void)[] = [];
  const attach = () =>
    records.attach(
      { onDurable: () => undefined, onFailed: (error) => failures.push(error.message) },
      (cell, payload, mutations) => {
        const sequence = (cell.lastSequence + 1) as typeof cell.lastSequence;
        cell.lastSequence = sequence;
        commits.push(() => {
          const value = Buffer.alloc(8);
          value.writeDoubleBE(sequence);
          const where = { shard: NODE_SHARD, space: "meta" } as const;
          const applied = { type: "put", ...where, key: bytes("applied"), value } as const;
          const { committedPosition: position } = storage.state;
          storage.state.commit({ mutations: [...mutations, applied], position });
        });
        return storage.log.append({ shard: NODE_SHARD, sequence, payload }, "fsync");
      },
    );
  const flush = () => {
    storage.log.flush();
    time.settle();
  };
  return { storage, records, attach, failures, flush, commits };
}

describe("a node's own records", () => {
  test("are durable when they say so, and found by the next start in log and state together", async () => {
    const disk = new PersistentMemoryDisk();
    const first = await openOn(disk);
    first.attach();
    const done: string[] = [];
    first.records.put("a", bytes("1"), () => done.push("a"));
    first.records.put("b", bytes("2"), () => done.push("b"));
    expect(done).toEqual([]);
    first.flush();
    expect(done).toEqual(["a", "b"]);
    first.commits[0]?.();
    time.settle();
    first.records.put("a", bytes("3"));
    first.records.delete("b");
    first.flush();
    disk.crash();

    const second = await openOn(disk);
    expect(second.records.damage).toBeUndefined();
    expect(textOf(second.records.get("a"))).toBe("3");
    expect(second.records.get("b")).toBeUndefined();
    expect(second.records.names("")).toEqual(["a"]);
  });

  test("what was not durable is gone, and nobody was told otherwise", async () => {
    const disk = new PersistentMemoryDisk();
    const first = await openOn(disk);
    first.attach();
    let done = false;
    first.records.put("a", bytes("1"), () => {
      done = true;
    });
    disk.crash();
    expect(done).toBe(false);
    expect((await openOn(disk)).records.get("a")).toBeUndefined();
  });

  // A commit says how far the log is in the state: it must not step over what only the log has.
  test("what only the log has goes into the state with the next change", async () => {
    const disk = new PersistentMemoryDisk();
    const first = await openOn(disk);
    first.attach();
    first.records.put("a", bytes("1"));
    first.flush();
    disk.crash();
    const second = await openOn(disk);
    second.attach();
    second.records.put("b", bytes("2"));
    second.flush();
    for (const commit of second.commits) commit();
    time.settle();
    disk.crash();
    const third = await openOn(disk);
    const folded = third.storage.state.get(NODE_SHARD, "meta", bytes("a"));
    expect(textOf(folded)).toBe("1");
    expect(third.records.names("")).toEqual(["a", "b"]);
  });

  test.each<[string, (disk: PersistentMemoryDisk) => void, string]>([
    ["a damaged log", (disk) => disk.damageLog(NODE_SHARD), "log"],
    ["a damaged entry", (disk) => disk.damageEntry(NODE_SHARD, "meta", bytes("a")), "entry"],
    [
      "a log that ends before its state",
      (disk) => {
        disk.log.entries.length = 0;
        disk.log.synced = 0;
        disk.log.written = 0;
      },
      "ends at 0",
    ],
    [
      "a record of an unknown format",
      (disk) => {
        const entry = disk.log.entries[1];
        if (entry?.type === "append") entry.record.payload[0] = 9;
      },
      "format 9",
    ],
  ])("%s is said, and nothing of it is used", async (_what, damage, reason) => {
    const disk = new PersistentMemoryDisk();
    const first = await openOn(disk);
    first.attach();
    first.records.put("a", bytes("1"));
    first.flush();
    first.commits[0]?.();
    time.settle();
    first.records.put("a", bytes("2"));
    first.flush();
    disk.crash();
    damage(disk);
    const second = await openOn(disk);
    expect(second.records.damage).toContain(reason);
    expect(second.records.names("")).toEqual([]);
  });

  test("can begin anew, and are whole again", async () => {
    const disk = new PersistentMemoryDisk();
    const first = await openOn(disk);
    first.attach();
    first.records.put("a", bytes("1"));
    first.flush();
    first.commits[0]?.();
    time.settle();
    disk.crash();
    disk.damageLog(NODE_SHARD);
    const second = await openOn(disk);
    expect(second.records.damage).toContain("damaged");
    second.attach();
    second.records.beginAnew();
    second.records.put("b", bytes("2"));
    second.flush();
    disk.crash();
    const third = await openOn(disk);
    expect(third.records.damage).toBeUndefined();
    expect(third.records.names("")).toEqual(["b"]);
  });

  test("storage that failed before there was a host is told to it at once", async () => {
    const disk = new PersistentMemoryDisk();
    const { storage, records, attach, failures } = await openOn(disk);
    disk.failNextSync("log");
    storage.log.append({ shard: 1 as never, sequence: 1 as never, payload: bytes("x") }, "fsync");
    storage.log.flush();
    time.settle();
    expect(failures).toEqual([]);
    attach();
    expect(failures).toHaveLength(1);
    expect(() => records.put("a", bytes("1"))).toThrow();
  });

  test("live in memory alone where nothing persists, and are as durable at once as they ever are", async () => {
    const environment = new VirtualEnvironment({ time });
    const context = { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER };
    const storage = await memoryStorage({}, context);
    const records = await NodeRecords.open(storage);
    let done = false;
    records.put("a", bytes("1"), () => {
      done = true;
    });
    expect(done).toBe(true);
    expect(textOf(records.get("a"))).toBe("1");
    records.delete("a");
    expect(records.names("")).toEqual([]);
    expect(storage.log.lastPosition).toBe(0);
  });
});
