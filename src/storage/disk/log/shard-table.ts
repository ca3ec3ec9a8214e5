import type { ShardId } from "../../../core/model/ids.ts";
import { UNKNOWN_SHARDS } from "./record-format.ts";
import type { Extent } from "./segment.ts";
import { ShardIndex } from "./shard-index.ts";

/** The indexes of all shards that the log knows. */
export class ShardTable {
  readonly #indexes = new Map<ShardId, ShardIndex>();

  get(shard: ShardId): ShardIndex | undefined {
    return this.#indexes.get(shard);
  }

  /** With the index that stands for the unknown shards, if there is one. */
  all(): IterableIterator<[ShardId, ShardIndex]> {
    return this.#indexes.entries();
  }

  /** Why shards that the log does not know are damaged, if they are. */
  get unknownDamage(): Error | undefined {
    return this.#indexes.get(UNKNOWN_SHARDS)?.damage;
  }

  add(shard: ShardId, next: number, trace: Extent): ShardIndex {
    const index = new ShardIndex(next, trace);
    this.#indexes.set(shard, index);
    return index;
  }

  damagedShards(): ShardId[] {
    const damaged: ShardId[] = [];
    for (const [shard, { damage }] of this.#indexes) {
      if (damage !== undefined && shard !== UNKNOWN_SHARDS) damaged.push(shard);
    }
    return damaged;
  }
}
