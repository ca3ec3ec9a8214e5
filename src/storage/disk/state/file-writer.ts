import type { Generation } from "../../../core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../core/model/ids.ts";
import type { FileLedger } from "./file-ledger.ts";
import type { GenerationTable } from "./generation-table.ts";
import { DELETED, type Overlay, type OverlaySpace } from "./overlay.ts";
import {
  CHECK_BYTES,
  endOf,
  entryPrefix,
  generationBounds,
  joined,
  sealInto,
} from "./record-format.ts";
import type { FileOperation, StateFile } from "./state-file.ts";

/** Entries of dead generations that one write removes: a switch frees its space bit by bit. */
const SWEPT_ENTRIES = 2_000;

/** Records are written from slabs: LMDB asks for the address of each buffer once. */
const SLAB_BYTES = 256 * 1024;

/** Turns what was committed into operations on the file, its books included. */
export class FileWriter {
  readonly #file: StateFile;
  readonly #ledger: FileLedger;
  readonly #generations: GenerationTable;
  #slab = new Uint8Array(0);
  #slabUsed = 0;

  constructor(file: StateFile, ledger: FileLedger, generations: GenerationTable) {
    this.#file = file;
    this.#ledger = ledger;
    this.#generations = generations;
  }

  /** Whether there is something to write beside what is committed. */
  get hasLeftovers(): boolean {
    return this.#ledger.hasDead;
  }

  /** Everything of `overlay`, which is complete, and the position that it leads to. */
  write(overlay: Overlay, position: LogPosition): Promise<void> {
    const operations: FileOperation[] = [];
    const touched = new Set<ShardId>(overlay.switched.keys());
    for (const [shard, space] of overlay.spaces()) {
      touched.add(shard);
      // What was switched away since it was written needs no writing.
      if (!this.#generations.isKnown(shard, space.generation)) continue;
      this.#writeSpace(shard, space, operations);
    }
    for (const shard of touched) {
      this.#ledger.settle(shard, this.#generations.currentOf(shard), (generation) =>
        this.#generations.isKnown(shard, generation),
      );
    }
    this.#sweep(operations);
    for (const operation of this.#ledger.closeBooks(position)) operations.push(operation);
    this.#slab = new Uint8Array(0);
    return this.#file.write(operations);
  }

  #writeSpace(shard: ShardId, space: OverlaySpace, operations: FileOperation[]): void {
    const { generation } = space;
    const prefix = entryPrefix(shard, generation, space.space);
    this.#clearRanges(shard, prefix, space, operations);
    const picture = space.entries.openPicture();
    for (const { key, value } of picture.walk(undefined, undefined)) {
      const fileKey = joined(prefix, key);
      const before = this.#file.checksumOf(fileKey);
      if (value === DELETED) {
        if (before === undefined) continue;
        operations.push({ key: fileKey, record: undefined });
        this.#ledger.change(shard, generation, before, undefined);
      } else {
        const record = this.#room(CHECK_BYTES + value.length);
        const after = sealInto(record, fileKey, value);
        operations.push({ key: fileKey, record });
        this.#ledger.change(shard, generation, before, after);
      }
    }
    picture.close();
  }

  /** Ranges may lie over each other; what has an entry since is left to it. */
  #clearRanges(
    shard: ShardId,
    prefix: Uint8Array,
    space: OverlaySpace,
    operations: FileOperation[],
  ): void {
    const ranges = space.clearedRanges;
    const removed = ranges.length > 1 ? new Set<string>() : undefined;
    for (const { from, to } of ranges) {
      const low = from === undefined ? prefix : joined(prefix, from);
      const high = to === undefined ? endOf(prefix) : joined(prefix, to);
      if (Buffer.compare(low, high) >= 0) continue;
      for (const { key } of this.#file.entries(low, high)) {
        if (space.entries.get(key.subarray(prefix.length)) !== undefined) continue;
        const text = removed && Buffer.from(key).toString("latin1");
        if (text !== undefined && removed?.has(text)) continue;
        if (text !== undefined) removed?.add(text);
        this.#remove(shard, space.generation, key, operations);
      }
    }
  }

  #sweep(operations: FileOperation[]): void {
    let left = SWEPT_ENTRIES;
    for (;;) {
      const dead = this.#ledger.dead;
      if (dead === undefined || left <= 0) return;
      const { from, to } = generationBounds(dead.shard, dead.generation);
      for (const { key } of this.#file.entries(from, to)) {
        if (left <= 0) return;
        left -= 1;
        this.#remove(dead.shard, dead.generation, key, operations);
      }
      this.#ledger.bury(dead.shard, dead.generation);
    }
  }

  #remove(
    shard: ShardId,
    generation: Generation,
    key: Uint8Array,
    operations: FileOperation[],
  ): void {
    operations.push({ key, record: undefined });
    this.#ledger.change(shard, generation, this.#file.checksumOf(key), undefined);
  }

  #room(length: number): Uint8Array {
    if (length > SLAB_BYTES / 4) return new Uint8Array(length);
    if (this.#slabUsed + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const room = this.#slab.subarray(this.#slabUsed, this.#slabUsed + length);
    this.#slabUsed += length;
    return room;
  }
}
