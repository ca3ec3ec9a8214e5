import type { StateBatch } from "../../core/contracts/storage.ts";
import { APPLIED_KEY, appliedSequenceIn } from "../../core/store/applied-sequence.ts";
import type { LogNews } from "../watched-log.ts";
import type { Violation } from "./strategy-scenario.ts";

const MAX_REPORTED = 3;

/**
 * A state never holds what its log may still lose: when a commit says that a shard's log is in it up
 * to some record, that record is durable. Of records that were there at a node's start that is known.
 */
export class LogBeforeState {
  readonly violations: Violation[] = [];
  /** By node, shard and sequence: positions of the records of this start. */
  readonly #positions = new Map<string, Map<number, Map<number, number>>>();

  onLog(node: string, news: LogNews): void {
    if (news.type === "opened") this.#positions.set(node, new Map());
    if (news.type !== "appended") return;
    const { shard, sequence } = news.record;
    const shards = this.#positions.get(node);
    const ofShard = shards?.get(shard) ?? new Map<number, number>();
    shards?.set(shard, ofShard);
    ofShard.set(sequence, news.position);
  }

  /** @param durablePosition of the node's log, when it commits. */
  onCommit(node: string, { mutations }: StateBatch, durablePosition: number): void {
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "meta") continue;
      const { shard, key, value } = mutation;
      if (key.length !== APPLIED_KEY.length || Buffer.compare(key, APPLIED_KEY) !== 0) continue;
      const sequence = appliedSequenceIn(value);
      const position = this.#positions.get(node)?.get(shard)?.get(sequence) ?? 0;
      if (position <= durablePosition || this.violations.length >= MAX_REPORTED) continue;
      const message = `${node}: the state of shard ${shard} has record ${sequence}, at ${position} of a log that is durable up to ${durablePosition}`;
      this.violations.push({ check: "state-beyond-log", message });
    }
  }
}
