import { beforeEach, describe, expect, test } from "vitest";
import { type LogFields, SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { LogReadResult, LogStore } from "../../../../../src/core/contracts/storage.ts";
import type { Durability } from "../../../../../src/core/model/durability.ts";
import { isCapstanError } from "../../../../../src/core/model/errors.ts";
import type { LogSequence, ShardId } from "../../../../../src/core/model/ids.ts";
import type { SegmentedLogOptions } from "../../../../../src/storage/disk/log/log-options.ts";
import { openSegmentedLog } from "../../../../../src/storage/disk/log/open-segmented-log.ts";
import { findRecord } from "../../../../support/find-record.ts";
import { runVirtually } from "../../../../support/run-virtually.ts";
import { SimulatedDisk } from "../../../../support/simulated-disk.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";

const A = 1 as ShardId;
const B = 2 as ShardId;
const SMALL: SegmentedLogOptions = { segmentBytes: 8_192, spareSegments: 2, lazySyncMs: 50 };

let time: VirtualTime;
let disk: SimulatedDisk;
let log: LogStore;
let durable: number[];
let failures: Error[];
let warnings: string[];

async function open(options: SegmentedLogOptions = SMALL): Promise<LogStore> {
  const observer = {
    ...SILENT_OBSERVER,
    log: (_level: string, message: string, _fields?: LogFields) => {
      warnings.push(message);
    },
  };
  const opening = openSegmentedLog({
    disk: disk.connect(),
    directory: "/data/log",
    environment: new VirtualEnvironment({ time }),
    observer,
    options,
  });
  log = await runVirtually(time, opening);
  durable = [];
  failures = [];
  log.start({
    onDurable: (position) => durable.push(position),
    onFailed: (error) => failures.push(error),
  });
  // The first batch of an opening is synced, and the next segment is made.
  time.advance(20);
  return log;
}

beforeEach(async () => {
  time = new VirtualTime();
  disk = new SimulatedDisk({ time });
  warnings = [];
  await open();
});

function append(shard: ShardId, text: string, durability: Durability = "fsync"): void {
  const sequence = (log.lastSequence(shard) + 1) as LogSequence;
  log.append({ shard, sequence, payload: new TextEncoder().encode(text) }, durability);
}

function read(shard: ShardId, from = 1, maxBytes = 1 << 20): LogReadResult {
  let result: LogReadResult | undefined;
  log.read(shard, from as LogSequence, maxBytes, (answer) => {
    result = answer;
  });
  time.runUntil(() => result !== undefined, 1_000, 1);
  return result as LogReadResult;
}

function texts(shard: ShardId, from = 1): string[] {
  const result = read(shard, from);
  if (result.type !== "records") throw new Error(`the read answered ${result.type}`);
  return result.records.map(({ payload }) => new TextDecoder().decode(payload));
}

const syncs = (): number => disk.counts.get("sync") ?? 0;
const close = (): Promise<void> => runVirtually(time, log.close());

function flip(shard: ShardId, sequence: number, shiftBytes = 0): void {
  const { content, at } = whereIs(shard, sequence);
  content.flip((at + shiftBytes) * 8);
}

function zeroSectorOf(shard: ShardId, sequence: number): void {
  const { content, at } = whereIs(shard, sequence);
  content.zeroSector(at);
}

function whereIs(shard: ShardId, sequence: number) {
  for (const path of disk.files()) {
    const content = disk.content(path);
    const at = findRecord(content.bytes(), shard, sequence as LogSequence);
    if (at !== undefined) return { content, at };
  }
  throw new Error(`record ${sequence} of shard ${shard} is in no file`);
}

describe("durability", () => {
  test("memory is durable within flush, os once it is written, fsync once it is synced", () => {
    disk.stalled = "sync";
    append(A, "m", "memory");
    log.flush();
    expect(durable).toEqual([1]);
    append(A, "o", "os");
    log.flush();
    expect(durable).toEqual([1, 2]);
    append(A, "f", "fsync");
    log.flush();
    time.advance(5);
    expect(durable).toEqual([1, 2]);
    disk.resume();
    time.advance(5);
    expect(durable).toEqual([1, 2, 3]);
    expect(log.syncedPosition).toBe(3);
  });

  test("memory behind fsync waits for it", () => {
    append(A, "f", "fsync");
    append(A, "m", "memory");
    log.flush();
    append(A, "m", "memory");
    log.flush();
    expect(durable).toEqual([]);
    time.advance(5);
    expect(durable.at(-1)).toBe(3);
  });

  test("what nobody asked to sync is synced within the bound", () => {
    append(A, "o", "os");
    append(A, "m", "memory");
    log.flush();
    time.advance(45);
    expect(log.syncedPosition).toBe(0);
    time.advance(10);
    expect(log.syncedPosition).toBe(2);
  });

  test("what is flushed while a sync is under way is one batch of the next", () => {
    append(A, "first");
    log.flush();
    const before = syncs();
    for (let at = 0; at < 20; at += 1) {
      append(at % 2 === 0 ? A : B, "more");
      log.flush();
    }
    time.advance(5);
    expect(durable).toEqual([1, 21]);
    expect(syncs() - before).toBe(2);
  });

  test("a backlog above the bound of a batch goes in several", async () => {
    await close();
    await open({ ...SMALL, segmentBytes: 65_536, maxBatchBytes: 4_096 });
    append(A, "first");
    log.flush();
    for (let at = 0; at < 20; at += 1) append(A, "x".repeat(1_000));
    log.flush();
    expect(log.queuedBytes).toBe(20_005);
    time.advance(20);
    expect(durable.length).toBeGreaterThan(5);
    expect(durable.at(-1)).toBe(21);
    expect(log.queuedBytes).toBe(0);
  });
});

describe("damage and torn tails", () => {
  const MANY = 3;

  function fill(): void {
    for (let at = 1; at <= MANY; at += 1) {
      append(A, `a${at}`);
      append(B, `b${at}`);
      log.flush();
      time.advance(5);
    }
  }

  test("damage to the newest synced record is told from a torn tail by the mark", async () => {
    fill();
    time.advance(5);
    disk.cutPower("keep");
    flip(A, MANY);
    await open();
    expect(log.health().damagedShards).toEqual([A]);
    expect(read(A).type).toBe("damaged");
    expect(texts(B)).toEqual(["b1", "b2", "b3"]);
  });

  // Among these are batches that would lie in one sector with a mark right behind them.
  test.each([1, 2, 3, 4, 5, 6])(
    "the sector of the newest of %i synced batches is damage when it is lost",
    async (batches) => {
      for (let at = 1; at <= batches; at += 1) {
        append(A, `a${at}`);
        log.flush();
        time.advance(5);
      }
      time.advance(5);
      disk.kill();
      zeroSectorOf(A, batches);
      await open();
      expect(warnings).toContain("part of the log is missing");
      expect(read(A).type).toBe("damaged");
    },
  );

  test("what was not synced and is torn is cut, without damage", async () => {
    fill();
    await close();
    await open();
    append(A, "a4", "os");
    append(B, "b4", "os");
    log.flush();
    disk.kill();
    flip(A, 4);
    await open();
    expect(log.health().damagedShards).toEqual([]);
    expect(texts(A)).toEqual(["a1", "a2", "a3"]);
    expect(texts(B)).toEqual(["b1", "b2", "b3"]);
    append(A, "new");
    log.flush();
    await close();
    await open();
    expect(texts(A)).toEqual(["a1", "a2", "a3", "new"]);
    expect(texts(B)).toEqual(["b1", "b2", "b3"]);
  });

  test("a broken record header damages the shards of its batch alone", async () => {
    fill();
    append(A, "a4");
    log.flush();
    await close();
    flip(A, 4, -20);
    await open();
    expect(log.health().damagedShards).toEqual([A]);
    expect(texts(B)).toEqual(["b1", "b2", "b3"]);
  });

  test("damage is remembered until the shard is reset, over reopenings", async () => {
    fill();
    await close();
    flip(B, 1);
    await open();
    await close();
    await open();
    expect(log.health().damagedShards).toEqual([B]);
    log.reset(B, 9 as LogSequence);
    expect(log.health().damagedShards).toEqual([]);
    await close();
    await open();
    expect(log.health().damagedShards).toEqual([]);
    expect(log.lastSequence(B)).toBe(8);
  });

  test("damage that appears while the log is open is found by the read", () => {
    fill();
    flip(A, 2);
    expect(read(A).type).toBe("damaged");
    expect(log.health().damagedShards).toEqual([A]);
    expect(texts(B)).toEqual(["b1", "b2", "b3"]);
  });

  test("a segment that is missing in the middle damages all shards, known and unknown", async () => {
    for (let at = 0; at < 30; at += 1) {
      append(A, "x".repeat(700));
      append(B, "y".repeat(700));
      log.flush();
      time.advance(10);
    }
    await close();
    expect(disk.files().length).toBeGreaterThan(4);
    disk.lose(disk.files().sort()[2] as string);
    await open();
    expect(log.health().damagedShards).toEqual([A, B]);
    const stranger = 77 as ShardId;
    expect(read(stranger).type).toBe("damaged");
    log.reset(stranger, 1 as LogSequence);
    expect(read(stranger).type).toBe("records");
    expect(warnings).toContain("part of the log is missing");
  });

  test("a broken segment header costs nothing, and is repaired", async () => {
    fill();
    await close();
    for (const path of disk.files()) disk.content(path).flip(3);
    await open();
    expect(texts(A)).toEqual(["a1", "a2", "a3"]);
    expect(log.health().damagedShards).toEqual([]);
  });

  test("files that are no segments are left alone", async () => {
    disk.put("/data/log/notes.txt", Uint8Array.of(1, 2, 3));
    await close();
    await open();
    expect(disk.files()).toContain("/data/log/notes.txt");
  });

  test("a segment of an unknown version is refused by name, and nothing is changed", async () => {
    fill();
    await close();
    const path = disk.files().sort()[0] as string;
    const bytes = disk.content(path).bytes();
    const { encodeSegmentHeader } = await import(
      "../../../../../src/storage/disk/log/segment-format.ts"
    );
    const { crc32 } = await import("node:zlib");
    const header = Buffer.from(encodeSegmentHeader({ logId: 1, segmentBytes: 8_192 }));
    header.writeUInt32BE(9, 8);
    header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
    header.copy(bytes);
    disk.put(path, bytes);
    const refusal = await open().catch((error: unknown) => error);
    expect(isCapstanError(refusal) && refusal.code).toBe("STORE_FAILED");
    expect((refusal as Error).message).toContain(`${path} has log format version 9`);
    expect(Buffer.compare(disk.content(path).bytes(), bytes)).toBe(0);
    expect(disk.openFiles).toBe(0);
  });
});

describe("a disk that fails", () => {
  test("a failed sync ends the log, and is never tried again", () => {
    append(A, "good");
    log.flush();
    time.advance(5);
    append(A, "lost");
    disk.failNext("sync", "EIO");
    log.flush();
    time.advance(5);
    expect(failures).toHaveLength(1);
    expect(failures[0]?.message).toMatch(/cannot sync \/data\/log\/.*EIO/);
    const before = syncs();
    log.flush();
    time.advance(1_000);
    expect(syncs()).toBe(before);
    expect(durable).toEqual([1]);
    expect(() => append(A, "more")).toThrow("EIO");
    expect(log.health()).toMatchObject({ state: "failed", syncAgeMs: 0 });
    expect(texts(A)).toEqual(["good", "lost"]);
  });

  test("a failed write ends the log outside of the call", () => {
    disk.failNext("write", "EIO");
    append(A, "lost");
    log.flush();
    expect(failures).toEqual([]);
    time.advance(1);
    expect(failures[0]?.message).toMatch(/cannot write/);
    expect(durable).toEqual([]);
  });

  test("a failed log closes, and what was durable is there afterwards", async () => {
    append(A, "good");
    log.flush();
    time.advance(5);
    append(A, "lost");
    disk.failNext("sync", "EIO");
    log.flush();
    time.advance(5);
    await close();
    expect(disk.openFiles).toBe(0);
    disk.cutPower("lose");
    await open();
    expect(texts(A)[0]).toBe("good");
  });

  test("a full disk does not fail the log before it needs the space", () => {
    disk.capacityBytes = 8_192 * 2;
    const write = (): void => {
      append(A, "x".repeat(1_000));
      log.flush();
      time.advance(20);
    };
    for (let at = 0; at < 10; at += 1) write();
    expect(failures).toEqual([]);
    expect(warnings).toContain("the next segment of the log could not be made");
    for (let at = 0; at < 4 && failures.length === 0; at += 1) write();
    expect(failures[0]?.message).toMatch(/cannot make the next segment of the log: ENOSPC/);
    expect(texts(A).length).toBeGreaterThanOrEqual(10);
  });

  test("space that came free in time keeps the log going", () => {
    disk.capacityBytes = 8_192 * 2;
    for (let at = 0; at < 40; at += 1) {
      append(A, "x".repeat(1_000));
      log.flush();
      time.advance(20);
      if (at === 8) disk.capacityBytes = 1 << 20;
    }
    expect(failures).toEqual([]);
    expect(durable.at(-1)).toBe(40);
  });

  test("a log on a full disk opens, and says so when it is written to", async () => {
    append(A, "kept");
    log.flush();
    await close();
    disk.capacityBytes = 0;
    for (const path of disk.files().sort().slice(1)) disk.lose(path);
    await open();
    expect(texts(A)).toEqual(["kept"]);
    expect(failures[0]?.message).toMatch(/ENOSPC/);
  });

  test("a sync that takes long makes the log slow, not failed", () => {
    disk.stalled = "sync";
    append(A, "x");
    log.flush();
    time.advance(1_500);
    expect(log.health()).toMatchObject({ state: "slow" });
    expect(log.queuedBytes).toBe(1);
    expect(log.health().syncAgeMs).toBeGreaterThan(1_000);
    disk.resume();
    time.advance(5);
    expect(log.health().state).toBe("ok");
  });
});

describe("segments", () => {
  test("under load with releases the files stay few, and are used again", () => {
    let most = 0;
    for (let at = 1; at <= 400; at += 1) {
      append(A, "x".repeat(500));
      log.flush();
      time.advance(10);
      log.release(A, (at - 3) as LogSequence);
      most = Math.max(most, disk.files().length);
    }
    expect(most).toBeLessThanOrEqual(6);
    expect(disk.counts.get("create")).toBeLessThanOrEqual(6);
    expect(texts(A, 398)).toHaveLength(3);
  });

  test("an idle shard holds nothing back: its records move to the tail and are still there", async () => {
    for (let at = 0; at < 3; at += 1) append(B, `cold${at}`);
    let most = 0;
    for (let at = 1; at <= 300; at += 1) {
      append(A, "x".repeat(500));
      log.flush();
      time.advance(10);
      log.release(A, at as LogSequence);
      most = Math.max(most, disk.files().length);
    }
    expect(most).toBeLessThanOrEqual(8);
    expect(texts(B)).toEqual(["cold0", "cold1", "cold2"]);
    disk.cutPower("lose");
    await open();
    expect(texts(B)).toEqual(["cold0", "cold1", "cold2"]);
    expect(log.lastSequence(A)).toBe(300);
  });

  test("descriptors are as many as files, and none are left when it has closed", async () => {
    for (let at = 1; at <= 60; at += 1) {
      append(A, "x".repeat(500));
      log.flush();
      time.advance(10);
      log.release(A, at as LogSequence);
      expect(disk.openFiles).toBeLessThanOrEqual(disk.files().length + 1);
    }
    await close();
    expect(disk.openFiles).toBe(0);
  });

  test("starts that write nothing do not fill the disk", async () => {
    append(A, "x");
    log.flush();
    for (let at = 0; at < 20; at += 1) {
      await close();
      await open();
    }
    expect(disk.files().length).toBeLessThanOrEqual(8);
    expect(texts(A)).toEqual(["x"]);
  });

  test("segments of another size are used up and replaced", async () => {
    append(A, "x");
    log.flush();
    await close();
    await open({ ...SMALL, segmentBytes: 16_384 });
    for (let at = 2; at <= 60; at += 1) {
      append(A, "x".repeat(500));
      log.flush();
      time.advance(10);
      log.release(A, at as LogSequence);
    }
    await close();
    await open({ ...SMALL, segmentBytes: 16_384 });
    expect(log.lastSequence(A)).toBe(60);
    expect(texts(A, 60)).toHaveLength(1);
  });

  test("a record larger than a segment holds is refused, and names the bound", () => {
    expect(() => append(A, "x".repeat(8_000))).toThrow(
      /8000 bytes does not fit .* holds [67]\d\d\d/,
    );
    expect(log.lastPosition).toBe(0);
  });
});

test("positions go on above the floor", async () => {
  await close();
  await open({ ...SMALL, floorPosition: 500 });
  append(A, "x");
  expect(log.lastPosition).toBe(501);
});

test("options out of bounds are refused by name, with what is allowed", async () => {
  await close();
  const wrong: Readonly<Record<string, SegmentedLogOptions>> = {
    "storage.segmentBytes is 5000; .* from 4096 to 1073741824, a multiple of 4096": {
      segmentBytes: 5_000,
    },
    "storage.lazySyncMs is 0; .* from 1 to 60000": { lazySyncMs: 0 },
    "storage.maxBatchBytes is NaN": { maxBatchBytes: Number.NaN },
  };
  for (const [message, options] of Object.entries(wrong)) {
    await expect(open(options)).rejects.toThrow(new RegExp(message));
  }
});
