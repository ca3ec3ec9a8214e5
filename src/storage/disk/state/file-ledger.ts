import type { Generation } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import type { BookedGeneration } from "./read-books.ts";
import {
  addToSum,
  DAMAGED_COUNT,
  EMPTY_SUM,
  encodeHead,
  encodeSummary,
  HEAD_KEY,
  type Head,
  storedChecksum,
  summaryKey,
  takeFromSum,
} from "./record-format.ts";
import type { FileOperation } from "./state-file.ts";

interface GenerationRecord {
  readonly shard: ShardId;
  readonly generation: Generation;
  readonly key: Uint8Array;
  isCurrent: boolean;
  count: number;
  sum: number;
  /** Of the summary as it lies in the file; undefined if there is none. */
  stored: number | undefined;
  /** To be removed with its last entry. */
  isDead: boolean;
}

/**
 * The books of the state file: how many entries each generation has there, and the sum of their
 * checksums. Kept in step with what is written, and written with it.
 */
export class FileLedger {
  readonly #generations = new Map<ShardId, Map<Generation, GenerationRecord>>();
  readonly #changed = new Set<GenerationRecord>();
  readonly #dead = new Set<GenerationRecord>();
  #count = 0;
  #sum = EMPTY_SUM;

  /** Found in the file at opening; what is not current there is dead. */
  load({ shard, generation, isCurrent, count, sum, stored }: BookedGeneration): void {
    const record = this.#of(shard, generation);
    Object.assign(record, { isCurrent, count, sum, stored, isDead: !isCurrent });
    if (record.isDead) this.#dead.add(record);
    this.#count += 1;
    this.#sum = addToSum(this.#sum, stored);
  }

  /** An entry of `before` (a checksum; undefined if there was none) becomes one of `after`. */
  change(
    shard: ShardId,
    generation: Generation,
    before: number | undefined,
    after: number | undefined,
  ): void {
    const record = this.#of(shard, generation);
    if (record.count === DAMAGED_COUNT) return;
    if (before !== undefined) {
      record.count -= 1;
      record.sum = takeFromSum(record.sum, before);
    }
    if (after !== undefined) {
      record.count += 1;
      record.sum = addToSum(record.sum, after);
    }
    this.#touch(record);
  }

  /** A generation that may be empty. */
  begin(shard: ShardId, generation: Generation): void {
    this.#touch(this.#of(shard, generation));
  }

  /** Nothing of the generation may be believed any more, over all openings, until it is dead. */
  giveUp(shard: ShardId, generation: Generation): void {
    const record = this.#of(shard, generation);
    record.count = DAMAGED_COUNT;
    this.#touch(record);
  }

  /** What of the shard is not `current` is dead from now on, but what `isKept` names. */
  settle(shard: ShardId, current: Generation, isKept: (generation: Generation) => boolean): void {
    for (const record of this.#generations.get(shard)?.values() ?? []) {
      const isCurrent = record.generation === current;
      if (record.isCurrent !== isCurrent) {
        record.isCurrent = isCurrent;
        this.#touch(record);
      }
      record.isDead = !isCurrent && !isKept(record.generation);
      if (record.isDead) this.#dead.add(record);
    }
  }

  /** A generation whose entries are to be removed, if there is one. */
  get dead(): { readonly shard: ShardId; readonly generation: Generation } | undefined {
    for (const record of this.#dead) return record;
    return undefined;
  }

  get hasDead(): boolean {
    return this.#dead.size > 0;
  }

  /** Nothing of the generation is in the file any more. */
  bury(shard: ShardId, generation: Generation): void {
    const record = this.#generations.get(shard)?.get(generation);
    if (record === undefined) return;
    this.#dead.delete(record);
    this.#generations.get(shard)?.delete(generation);
    record.isDead = true;
    this.#touch(record);
  }

  /** The operations that bring the books of the file up to date, with its position. */
  *closeBooks(position: number): Generator<FileOperation> {
    for (const record of this.#changed) {
      const isGone = this.#generations.get(record.shard)?.get(record.generation) !== record;
      if (record.stored !== undefined) {
        this.#count -= 1;
        this.#sum = takeFromSum(this.#sum, record.stored);
      }
      if (isGone) {
        if (record.stored !== undefined) yield { key: record.key, record: undefined };
        record.stored = undefined;
      } else {
        const encoded = encodeSummary(record.key, record);
        record.stored = storedChecksum(encoded);
        this.#count += 1;
        this.#sum = addToSum(this.#sum, record.stored);
        yield { key: record.key, record: encoded };
      }
    }
    this.#changed.clear();
    const head: Head = { position, count: this.#count, sum: this.#sum };
    yield { key: HEAD_KEY, record: encodeHead(head) };
  }

  #touch(record: GenerationRecord): void {
    this.#changed.add(record);
  }

  #of(shard: ShardId, generation: Generation): GenerationRecord {
    let generations = this.#generations.get(shard);
    if (generations === undefined) {
      generations = new Map();
      this.#generations.set(shard, generations);
    }
    let record = generations.get(generation);
    if (record === undefined) {
      record = {
        shard,
        generation,
        key: summaryKey(shard, generation),
        isCurrent: false,
        count: 0,
        sum: EMPTY_SUM,
        stored: undefined,
        isDead: false,
      };
      generations.set(generation, record);
    }
    return record;
  }
}
