import type { Generation } from "../../../core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../core/model/ids.ts";
import type { FileLedger } from "./file-ledger.ts";
import type { GenerationPicture, GenerationTable } from "./generation-table.ts";
import { DELETED, type Overlay, type OverlaySpace } from "./overlay.ts";
import {
  CHECK_BYTES,
  endOf,
  entryPrefix,
  generationBounds,
  joined,
  sealInto,
} from "./record-format.ts";
import type { FileOperation, FileSnapshot, StateFile } from "./state-file.ts";

/** Entries of dead generations that one write removes: a switch frees its space bit by bit. */
const SWEPT_ENTRIES = 2_000;

/** Records are written from slabs: LMDB asks for the address of each buffer once. */
const SLAB_BYTES = 256 * 1024;

/** What a write handles before other work has its turn: entries, or bytes of them. */
export interface WriteSlice {
  readonly entries: number;
  readonly bytes: number;
}

const SLICE: WriteSlice = Object.freeze({ entries: 500, bytes: 256 * 1024 });

/** Turns what was committed into operations on the file, its books included. */
export class FileWriter {
  readonly #file: StateFile;
  readonly #ledger: FileLedger;
  readonly #generations: GenerationTable;
  readonly #slice: WriteSlice;
  #slab = new Uint8Array(0);
  #slabUsed = 0;

  constructor(
    file: StateFile,
    ledger: FileLedger,
    generations: GenerationTable,
    slice: WriteSlice = SLICE,
  ) {
    this.#file = file;
    this.#ledger = ledger;
    this.#generations = generations;
    this.#slice = slice;
  }

  /** Whether there is something to write beside what is committed. */
  get hasLeftovers(): boolean {
    return this.#ledger.hasDead;
  }

  /**
   * Everything of `overlay`, which is complete, and the position that it leads to, as one
   * transaction. It is made ready slice by slice, with a `pause` between two; handing it to the file
   * comes at once, because what the file is given in one turn is what it writes as one.
   *
   * Meanwhile nothing else is written, so that the file is what it was; but generations may be given
   * out and switched, so that a picture of them is taken first: that of the overlay.
   */
  async write(overlay: Overlay, position: LogPosition, pause: () => Promise<void>): Promise<void> {
    const operations: FileOperation[] = [];
    let [entries, bytes] = [0, 0];
    for (const handled of this.#build(overlay, position, operations)) {
      entries += 1;
      bytes += handled;
      if (entries < this.#slice.entries && bytes < this.#slice.bytes) continue;
      [entries, bytes] = [0, 0];
      await pause();
    }
    this.#slab = new Uint8Array(0);
    await this.#file.write(operations);
  }

  /** Yields after each entry of the overlay or of the file, and says how large it was. */
  *#build(
    overlay: Overlay,
    position: LogPosition,
    operations: FileOperation[],
  ): Generator<number, void> {
    const pictures = new Map<ShardId, GenerationPicture>();
    const shards = [...overlay.switched.keys(), ...[...overlay.spaces()].map(([shard]) => shard)];
    for (const shard of shards) {
      if (!pictures.has(shard)) pictures.set(shard, this.#generations.picture(shard));
    }
    const snapshot = this.#file.snapshot();
    try {
      for (const [shard, space] of overlay.spaces()) {
        // What was switched away since it was written needs no writing.
        if (pictures.get(shard)?.isKnown(space.generation) !== true) continue;
        yield* this.#writeSpace(shard, space, snapshot, operations);
      }
      for (const [shard, { current, isKnown }] of pictures) {
        this.#ledger.settle(shard, current, isKnown);
      }
      yield* this.#sweep(snapshot, operations);
    } finally {
      snapshot.close();
    }
    for (const operation of this.#ledger.closeBooks(position)) operations.push(operation);
  }

  *#writeSpace(
    shard: ShardId,
    space: OverlaySpace,
    snapshot: FileSnapshot,
    operations: FileOperation[],
  ): Generator<number, void> {
    const { generation } = space;
    const prefix = entryPrefix(shard, generation, space.space);
    yield* this.#clearRanges(shard, prefix, space, snapshot, operations);
    const picture = space.entries.openPicture();
    for (const { key, value } of picture.walk(undefined, undefined)) {
      const fileKey = joined(prefix, key);
      const before = this.#file.checksumOf(fileKey);
      if (value !== DELETED) {
        const record = this.#room(CHECK_BYTES + value.length);
        const after = sealInto(record, fileKey, value);
        operations.push({ key: fileKey, record });
        this.#ledger.change(shard, generation, before, after);
      } else if (before !== undefined) {
        operations.push({ key: fileKey, record: undefined });
        this.#ledger.change(shard, generation, before, undefined);
      }
      yield fileKey.length + value.length;
    }
    picture.close();
  }

  /** Ranges may lie over each other; what has an entry since is left to it. */
  *#clearRanges(
    shard: ShardId,
    prefix: Uint8Array,
    space: OverlaySpace,
    snapshot: FileSnapshot,
    operations: FileOperation[],
  ): Generator<number, void> {
    const ranges = space.clearedRanges;
    const removed = ranges.length > 1 ? new Set<string>() : undefined;
    for (const { from, to } of ranges) {
      const low = from === undefined ? prefix : joined(prefix, from);
      const high = to === undefined ? endOf(prefix) : joined(prefix, to);
      if (Buffer.compare(low, high) >= 0) continue;
      for (const { key, record } of this.#file.entries(low, high, snapshot)) {
        yield key.length + record.length;
        if (space.entries.get(key.subarray(prefix.length)) !== undefined) continue;
        const text = removed && Buffer.from(key).toString("latin1");
        if (text !== undefined && removed?.has(text)) continue;
        if (text !== undefined) removed?.add(text);
        this.#remove(shard, space.generation, key, operations);
      }
    }
  }

  *#sweep(snapshot: FileSnapshot, operations: FileOperation[]): Generator<number, void> {
    let left = SWEPT_ENTRIES;
    for (;;) {
      const dead = this.#ledger.dead;
      if (dead === undefined || left <= 0) return;
      const { from, to } = generationBounds(dead.shard, dead.generation);
      for (const { key, record } of this.#file.entries(from, to, snapshot)) {
        if (left <= 0) return;
        left -= 1;
        this.#remove(dead.shard, dead.generation, key, operations);
        yield key.length + record.length;
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
