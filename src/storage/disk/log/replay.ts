import type { ShardId } from "../../../core/model/ids.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  batchSeed,
  recordsAreWhole,
  shardsOf,
} from "./batch-format.ts";
import {
  DAMAGED_FLAG,
  decodeRecord,
  payloadIsWhole,
  RECORD_HEADER_BYTES,
  RECORD_KINDS,
  type RecordHeader,
  UNKNOWN_SHARDS,
} from "./record-format.ts";
import type { RecordPlace } from "./record-slots.ts";
import { addLive, type Extent, type Segment } from "./segment.ts";
import type { ShardIndex } from "./shard-index.ts";
import { ShardTable } from "./shard-table.ts";

/** Records of one shard that were met out of order, by sequence. */
type LoosePlaces = Map<number, RecordPlace>;

/**
 * Rebuilds the indexes from the batches, oldest first.
 *
 * Records that were rewritten stand behind younger ones, so what is met out of order is kept
 * loose, and put in front at the end as far as it fits without a hole. What does not fit had been
 * released: nothing else makes a hole but damage, which is known of otherwise.
 */
export class Replay {
  readonly table = new ShardTable();
  readonly #loose = new Map<ShardId, LoosePlaces>();
  /** Why every shard that is met from now on may lack its beginning. */
  #loss: Error | undefined;

  /** Batches are missing here, and nobody knows whose records they held. */
  lose(error: Error): void {
    this.#loss = error;
    for (const [shard] of this.table.all()) this.#damage(shard, error, NOWHERE());
    this.#damage(UNKNOWN_SHARDS, error, NOWHERE());
  }

  /** `bytes` is the whole batch. */
  apply(
    bytes: Uint8Array,
    header: BatchHeader,
    segment: Segment,
    offset: number,
    path: string,
  ): void {
    const seed = batchSeed(header.logId, header.epoch, header.sequence);
    const extent: Extent = { segment, offset, seed, live: 0, memory: undefined };
    const isWhole = recordsAreWhole(bytes, header);
    const end = BATCH_HEADER_BYTES + header.recordsBytes;
    const records = bytes.subarray(0, end);
    let at = BATCH_HEADER_BYTES;
    while (at < end) {
      const record = decodeRecord(records, at, seed);
      if (record === undefined) {
        return this.#loseRest(bytes, header, extent, damageAt(path, offset + at));
      }
      if (isWhole || payloadIsWhole(records, at, record)) this.#apply(record, extent, at);
      else this.#damage(record.shard, damageAt(path, offset + at), extent, record.sequence);
      at += RECORD_HEADER_BYTES + record.payloadBytes;
    }
  }

  /** Puts together what belongs together. */
  finish(): ShardTable {
    for (const [shard, index] of this.table.all()) {
      const loose = this.#loose.get(shard);
      if (index.damage !== undefined) {
        this.#dropLoose(shard, () => true);
        index.restart(index.last + 1);
      } else if (loose !== undefined) {
        this.#joinLoose(shard, index, loose);
      }
    }
    return this.table;
  }

  /** The record that stood here is unknown, and so is all behind it in the batch. */
  #loseRest(bytes: Uint8Array, header: BatchHeader, extent: Extent, error: Error): void {
    const shards = shardsOf(bytes, header);
    if (shards === undefined) return this.lose(error);
    for (const shard of shards) this.#damage(shard, error, extent);
  }

  #apply(record: RecordHeader, extent: Extent, at: number): void {
    const { shard, sequence, kind } = record;
    const index = this.#indexFor(shard, record, extent);
    if (kind !== RECORD_KINDS.rewritten) index.trace = extent;
    switch (kind) {
      case RECORD_KINDS.append:
      case RECORD_KINDS.rewritten:
        this.#place(
          shard,
          index,
          sequence,
          { extent, at, payloadBytes: record.payloadBytes },
          kind,
        );
        return;
      case RECORD_KINDS.truncate:
        this.#dropLoose(shard, (loose) => loose > sequence);
        if (sequence < index.first - 1) index.restart(sequence + 1);
        else if (sequence <= index.last) index.truncate(sequence);
        else this.#jump(shard, index, sequence + 1);
        return;
      case RECORD_KINDS.reset:
        this.#dropLoose(shard, () => true);
        index.restart(sequence);
        index.damage = undefined;
        return;
      case RECORD_KINDS.standing:
        this.#stand(shard, index, record);
    }
  }

  #place(
    shard: ShardId,
    index: ShardIndex,
    sequence: number,
    place: RecordPlace,
    kind: number,
  ): void {
    const isRewritten = kind === RECORD_KINDS.rewritten;
    if (sequence === index.last + 1) {
      index.append(place.extent, place.at, place.payloadBytes);
    } else if (isRewritten && sequence >= index.first && sequence <= index.last) {
      index.move(sequence, place);
    } else if (isRewritten && sequence < index.first) {
      this.#loosen(shard, sequence, place, true);
    } else {
      this.#jump(shard, index, sequence);
      index.append(place.extent, place.at, place.payloadBytes);
    }
  }

  /** The next is `sequence`; what is there below it is kept, loose. */
  #jump(shard: ShardId, index: ShardIndex, sequence: number): void {
    this.#dropLoose(shard, (loose) => loose >= sequence);
    for (let at = index.first; at <= index.last && at < sequence; at += 1) {
      this.#loosen(shard, at, index.at(at) as RecordPlace, true);
    }
    index.restart(sequence);
  }

  #stand(shard: ShardId, index: ShardIndex, { sequence, flags }: RecordHeader): void {
    if ((flags & DAMAGED_FLAG) !== 0) {
      index.damage ??= new Error(`the log of shard ${shard} was damaged before this opening`);
    }
    if (index.last !== sequence) this.#jump(shard, index, sequence + 1);
  }

  #indexFor(shard: ShardId, { kind, sequence }: RecordHeader, extent: Extent): ShardIndex {
    const known = this.table.get(shard);
    if (known !== undefined) return known;
    const holds = kind === RECORD_KINDS.append || kind === RECORD_KINDS.rewritten;
    const next = holds || kind === RECORD_KINDS.reset ? sequence : sequence + 1;
    const index = this.table.add(shard, next, extent);
    index.damage = this.#loss;
    return index;
  }

  #damage(shard: ShardId, error: Error, extent: Extent, sequence?: number): void {
    const index = this.table.get(shard) ?? this.table.add(shard, sequence ?? 1, extent);
    index.damage ??= error;
    if (sequence !== undefined && sequence > index.last) this.#jump(shard, index, sequence + 1);
  }

  #loosen(shard: ShardId, sequence: number, place: RecordPlace, isCounted: boolean): void {
    let loose = this.#loose.get(shard);
    if (loose === undefined) {
      loose = new Map();
      this.#loose.set(shard, loose);
    }
    const previous = loose.get(sequence);
    if (previous !== undefined) addLive(previous.extent, -sizeOf(previous));
    if (isCounted) addLive(place.extent, sizeOf(place));
    loose.set(sequence, place);
  }

  #dropLoose(shard: ShardId, isDropped: (sequence: number) => boolean): void {
    const loose = this.#loose.get(shard);
    if (loose === undefined) return;
    for (const [sequence, place] of loose) {
      if (!isDropped(sequence)) continue;
      addLive(place.extent, -sizeOf(place));
      loose.delete(sequence);
    }
  }

  #joinLoose(shard: ShardId, index: ShardIndex, loose: LoosePlaces): void {
    const joined: RecordPlace[] = [];
    for (let sequence = index.first - 1; ; sequence -= 1) {
      const place = loose.get(sequence);
      if (place === undefined) break;
      joined.push(place);
      loose.delete(sequence);
    }
    index.prepend(joined.reverse());
    this.#dropLoose(shard, () => true);
  }
}

function sizeOf({ payloadBytes }: RecordPlace): number {
  return RECORD_HEADER_BYTES + payloadBytes;
}

function damageAt(path: string, offset: number): Error {
  return new Error(`${path} is damaged at byte ${offset}`);
}

/** The trace of what no record tells of. It says so again before anything that it rests on goes. */
function NOWHERE(): Extent {
  return { segment: undefined, offset: 0, seed: 0, live: 0, memory: undefined };
}
