import { expect, test } from "vitest";
import type { StateMutation } from "../../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../../src/core/model/ids.ts";
import { FileLedger } from "../../../../../src/storage/disk/state/file-ledger.ts";
import { FileWriter } from "../../../../../src/storage/disk/state/file-writer.ts";
import {
  FIRST_GENERATION,
  GenerationTable,
} from "../../../../../src/storage/disk/state/generation-table.ts";
import { Overlay } from "../../../../../src/storage/disk/state/overlay.ts";
import type { FileOperation } from "../../../../../src/storage/disk/state/state-file.ts";
import { MemoryStateFile } from "../../../../support/memory-state-file.ts";

const SHARD = 7 as ShardId;
const PLACE = { shard: SHARD, space: "data" } as const;

/** Counts what is asked of it between two pauses. */
class CountingFile extends MemoryStateFile {
  readonly writes: (readonly FileOperation[])[] = [];
  handled = 0;

  override checksumOf(key: Uint8Array): number | undefined {
    this.handled += 1;
    return super.checksumOf(key);
  }

  override write(operations: readonly FileOperation[]): Promise<void> {
    this.writes.push(operations);
    const writing = super.write(operations);
    this.finish();
    return writing;
  }
}

class Bench {
  readonly file = new CountingFile(new Map());
  readonly generations = new GenerationTable();
  readonly writer = new FileWriter(this.file, new FileLedger(), this.generations);
  /** Of each slice of the last write, how many entries it has handled. */
  slices: number[] = [];

  async write(mutations: readonly StateMutation[]): Promise<void> {
    const overlay = new Overlay();
    this.generations.note(SHARD);
    for (const mutation of mutations) overlay.apply(mutation, FIRST_GENERATION);
    this.slices = [];
    const count = (): void => {
      this.slices.push(this.file.handled);
      this.file.handled = 0;
    };
    await this.writer.write(overlay, 1 as LogPosition, () => {
      count();
      return Promise.resolve();
    });
    count();
  }
}

function puts(count: number, valueBytes: number): StateMutation[] {
  return Array.from({ length: count }, (_, at) => {
    const key = Buffer.from(String(at).padStart(6, "0"));
    return { type: "put", ...PLACE, key, value: new Uint8Array(valueBytes) };
  });
}

test("a write of many entries is made ready in slices of at most 500, and is one all the same", async () => {
  const bench = new Bench();
  await bench.write(puts(5_200, 100));
  expect(Math.max(...bench.slices)).toBe(500);
  expect(bench.slices).toHaveLength(11);
  expect(bench.file.writes).toHaveLength(1);
  // With the books: the shard's, and the head.
  expect(bench.file.writes[0]).toHaveLength(5_202);
});

test("and one of large entries in slices of 256 KiB, and one entry", async () => {
  const bench = new Bench();
  await bench.write(puts(40, 100 * 1024));
  expect(Math.max(...bench.slices)).toBe(3);
  expect(bench.file.writes).toHaveLength(1);
});

test("what is removed counts like what is put", async () => {
  const bench = new Bench();
  await bench.write(puts(2_000, 10));
  await bench.write([{ type: "delete-range", ...PLACE, from: undefined, to: undefined }]);
  expect(Math.max(...bench.slices)).toBe(500);
  expect(bench.file.writes[1]).toHaveLength(2_002);
});

test("a small write is handed over within the call", () => {
  const bench = new Bench();
  void bench.write(puts(100, 10));
  expect(bench.file.writes).toHaveLength(1);
});
