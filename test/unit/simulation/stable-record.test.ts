import { describe, expect, test } from "vitest";
import type { LogSequence, ShardId } from "../../../src/core/model/ids.ts";
import { SimulatedDisk } from "../../../src/simulation/simulated-disk.ts";
import { isRecordStable } from "../../../src/simulation/stable-record.ts";
import { VirtualTime } from "../../../src/simulation/virtual-time.ts";
import type { DiskFile } from "../../../src/storage/disk/disk.ts";
import {
  encodeRecord,
  RECORD_HEADER_BYTES,
  RECORD_KINDS,
  type RecordKind,
} from "../../../src/storage/disk/log/record-format.ts";

const SHARD = 77_000_003 as ShardId;
const SECOND = 2 as LogSequence;

function encoded(payload: string, kind: RecordKind = RECORD_KINDS.append): Uint8Array {
  const bytes = Buffer.from(payload);
  const target = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  encodeRecord(target, 0, 99, { kind, flags: 0, shard: SHARD, sequence: 2, payload: bytes });
  return target;
}

function sought(text: string, sequence = SECOND) {
  const isIt = (payload: Uint8Array) => Buffer.from(payload).includes(text);
  return { shard: SHARD, sequence, isIt };
}

function openFile() {
  const time = new VirtualTime();
  const disk = new SimulatedDisk({ time });
  const connection = disk.connect();
  const opened: { file?: DiskFile } = {};
  const settle = () => {
    while (time.step(Number.POSITIVE_INFINITY));
  };
  connection.create("/log", (error, created) => {
    if (error !== undefined) throw error;
    opened.file = created as DiskFile;
  });
  settle();
  const check = (error: Error | undefined) => {
    if (error !== undefined) throw error;
  };
  return {
    disk,
    write: (bytes: Uint8Array, at: number) => opened.file?.writeNow(bytes, at),
    sync: () => {
      opened.file?.sync(check);
      settle();
    },
    syncFolder: () => {
      connection.syncDirectory("/", check);
      settle();
    },
  };
}

describe("a record of a log", () => {
  test("is on stable storage once its file and the file's name are synced, not before", () => {
    const { disk, write, sync, syncFolder } = openFile();
    write(encoded("v5"), 600);
    expect(isRecordStable(disk, sought("v5"))).toBe(false);
    sync();
    expect(isRecordStable(disk, sought("v5"))).toBe(false);
    syncFolder();
    expect(isRecordStable(disk, sought("v5"))).toBe(true);
    write(encoded("v6"), 900);
    expect(isRecordStable(disk, sought("v6"))).toBe(false);
    sync();
    expect(isRecordStable(disk, sought("v6"))).toBe(true);
  });

  test("is found behind others that had its place, in front of which it may lie", () => {
    const { disk, write, sync, syncFolder } = openFile();
    write(encoded("v5"), 100);
    write(encoded("v7"), 300);
    sync();
    syncFolder();
    expect(isRecordStable(disk, sought("v5"))).toBe(true);
    expect(isRecordStable(disk, sought("v7"))).toBe(true);
    expect(isRecordStable(disk, sought("v8"))).toBe(false);
    expect(isRecordStable(disk, sought("v5", 3 as LogSequence))).toBe(false);
  });

  test("is no record that says something else of its place, or is broken", () => {
    const { disk, write, sync, syncFolder } = openFile();
    write(encoded("v5", RECORD_KINDS.standing), 100);
    write(encoded("v6", RECORD_KINDS.rewritten), 300);
    write(encoded("v7"), 500);
    sync();
    syncFolder();
    expect(isRecordStable(disk, sought("v5"))).toBe(false);
    expect(isRecordStable(disk, sought("v6"))).toBe(true);
    disk.content("/log").flip((500 + RECORD_HEADER_BYTES) * 8);
    expect(isRecordStable(disk, sought(""))).toBe(true);
    expect(isRecordStable(disk, sought("v7"))).toBe(false);
  });
});
