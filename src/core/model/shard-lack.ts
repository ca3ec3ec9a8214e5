import type { Level } from "./levels.ts";

/**
 * Why a shard does not serve a level:
 * - `quorum-lost`: so many of its replicas have lost their stores that those left can never decide alone;
 * - `too-few-replicas`: too few can be reached and are not being rebuilt;
 * - `no-leader`: enough are there, and none of them leads, as for the time of an election;
 * - `lowered`: too few can be reached, and the keyspace's policy lets operations succeed with those;
 * - `not-ready`: this node has not joined its cluster, or the strategy says no more than that.
 */
export type LackReason = "quorum-lost" | "too-few-replicas" | "no-leader" | "lowered" | "not-ready";

/** Where a replica's log ends: of two the later one has the greater term, and of one term the greater index. */
export interface LogEnd {
  readonly term: number;
  readonly index: number;
}

/** What keeps a shard from serving a level, as far as the node that says it knows. */
export interface ShardLack {
  readonly reason: LackReason;
  /** Replicas that it cannot reach, or whose stores are lost, or which are being rebuilt. */
  readonly missing: readonly string[];
  /** Whether this node has a copy that the shard could be recovered from. */
  readonly isHeld: boolean;
  /** Of this node's copy, where that is a log and the others are too few. */
  readonly logEnd?: LogEnd | undefined;
}

/** Shards of a keyspace that do not serve these levels now, all for the same reason. */
export interface UnservedShards extends Omit<ShardLack, "logEnd"> {
  readonly shards: readonly number[];
  /** Where the logs of this node's copies end; left out where none says so. */
  readonly logEnds?: readonly (LogEnd & { readonly shard: number })[];
  readonly reads: readonly Level[];
  readonly writes: readonly Level[];
}
