import type { Durability } from "../../src/core/model/durability.ts";
import type { LogSequence, ShardId } from "../../src/core/model/ids.ts";

export type ModelEntry =
  | {
      readonly type: "append";
      readonly shard: ShardId;
      readonly sequence: number;
      readonly text: string;
      readonly durability: Durability;
    }
  | { readonly type: "truncate" | "reset"; readonly shard: ShardId; readonly to: number };

/** What the log should hold of one shard. */
export interface ModelShard {
  last: number;
  /** All that was not cut, released or not. */
  readonly texts: Map<number, string>;
  /** Nothing below is asked for. */
  released: number;
}

/** A dumb log: a list of what was done, of which a crash leaves a beginning. */
export class LogModel {
  entries: ModelEntry[] = [];
  shards = new Map<ShardId, ModelShard>();
  /** The most that was ever released of a shard: it holds again if a reset turns out to be lost. */
  readonly #released = new Map<ShardId, number>();

  shard(shard: ShardId): ModelShard {
    let known = this.shards.get(shard);
    if (known === undefined) {
      known = { last: 0, texts: new Map(), released: 1 };
      this.shards.set(shard, known);
    }
    return known;
  }

  add(entry: ModelEntry): void {
    this.entries.push(entry);
    this.#apply(entry);
  }

  release(shard: ShardId, sequence: number): void {
    const known = this.shard(shard);
    this.#released.set(shard, Math.max(sequence, this.#released.get(shard) ?? 1));
    known.released = Math.max(known.released, Math.min(sequence, known.last + 1));
  }

  /** Only the first `count` entries were ever made. */
  cut(count: number): void {
    const kept = this.entries.slice(0, count);
    this.entries = [];
    this.shards = new Map();
    for (const entry of kept) this.add(entry);
    for (const [shard, sequence] of this.#released) this.release(shard, sequence);
  }

  #apply(entry: ModelEntry): void {
    const shard = this.shard(entry.shard);
    if (entry.type === "append") {
      shard.last = entry.sequence;
      shard.texts.set(entry.sequence, entry.text);
      return;
    }
    if (entry.type === "reset") {
      shard.texts.clear();
      shard.last = entry.to - 1;
      shard.released = entry.to;
      return;
    }
    for (const sequence of [...shard.texts.keys()]) {
      if (sequence > entry.to) shard.texts.delete(sequence);
    }
    shard.last = Math.min(shard.last, entry.to) as LogSequence;
  }
}
