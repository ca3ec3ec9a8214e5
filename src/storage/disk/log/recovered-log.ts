import type { BatchEpoch } from "./batch.ts";
import type { Segment } from "./segment.ts";
import type { ShardTable } from "./shard-table.ts";

/** What an opening found, and how the log goes on from it. */
export interface RecoveredLog {
  readonly logId: number;
  readonly epoch: BatchEpoch;
  readonly table: ShardTable;
  /** Those that are needed, oldest first. None of them is written to any more. */
  readonly segments: readonly Segment[];
  readonly free: readonly Segment[];
  readonly lastPosition: number;
  /** First batch that is needed. */
  readonly start: number;
  readonly nextGeneration: number;
  readonly nextNumber: number;
}
