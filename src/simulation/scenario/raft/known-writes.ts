import { raftRevisionOf } from "../../../built-ins.ts";
import type { RaftOperation } from "./raft-model.ts";

/** A write that is known to lie at some index of its shard's log. */
export interface KnownWrite {
  readonly life: number;
  readonly index: number;
  readonly calledAtMs: number;
  /** When its client heard that it was done. */
  readonly returnedAtMs: number;
  /** What it put; a delete of what was not there tells nothing. */
  readonly puts: ReadonlyMap<string, string>;
}

/** The acknowledged writes of a history, by shard, in the order of its log. */
export class KnownWrites {
  readonly #byShard = new Map<number, KnownWrite[]>();

  constructor(history: readonly RaftOperation[], shardOf: (key: string) => number) {
    for (const { input, output, calledAtMs = 0, returnedAtMs } of history) {
      if (input.type !== "write" || output?.version === undefined) continue;
      const { lifeMark: life = 0, revision: index = 0 } = raftRevisionOf(output.version) ?? {};
      const shard = shardOf(input.writes[0]?.key ?? "");
      const puts = new Map<string, string>();
      for (const { key, value } of input.writes) if (value !== undefined) puts.set(key, value);
      const writes = this.#byShard.get(shard) ?? [];
      this.#byShard.set(shard, writes);
      const endedAtMs = returnedAtMs ?? Number.POSITIVE_INFINITY;
      writes.push({ life, index, calledAtMs, returnedAtMs: endedAtMs, puts });
    }
    for (const writes of this.#byShard.values()) writes.sort((a, b) => a.index - b.index);
  }

  /** `from ≤ index < to`. */
  *between(shard: number, from: number, to: number): Iterable<KnownWrite> {
    const writes = this.#byShard.get(shard) ?? [];
    let low = 0;
    let high = writes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((writes[middle] as KnownWrite).index < from) low = middle + 1;
      else high = middle;
    }
    for (; low < writes.length; low += 1) {
      const write = writes[low] as KnownWrite;
      if (write.index >= to) return;
      yield write;
    }
  }
}
