import type { ChangeType } from "../model/operations.ts";

/** What happened to one key of the shard, or that this cannot be told (`gap`). */
export interface MachineChange {
  readonly type: Exclude<ChangeType, "synced">;
  /** There but in a `gap`. */
  readonly key?: Uint8Array;
  /** As a read would answer it; of a `put`. */
  readonly value?: Uint8Array;
  /** Of a `conflict`: as a read would answer them. */
  readonly siblings?: readonly Uint8Array[];
  readonly version?: string;
  /**
   * Where the change stands in an order that all replicas of the shard share. One that is not above
   * the last is known already, and dropped. Left out: it stands in this replica's own order, which
   * the host counts, and a watch that has to go on at another replica begins with a gap.
   *
   * A `gap` with a position says that nothing up to there can be told, by this replica: at its
   * opening, after a snapshot.
   */
  readonly position?: ChangePosition;
  /** Of a `gap`, in words. */
  readonly reason?: string;
}

export interface ChangePosition {
  /** Names the order: of raft, the id of the group. 1–32 characters. */
  readonly order: string;
  /** Of raft, the index of the entry that made the change. */
  readonly sequence: number;
  /** Counts the changes of one entry, from 0. Default 0. */
  readonly offset?: number;
}

/** No change up to here is still to come from a replica. */
export interface ChangesReached {
  readonly order: string;
  readonly sequence: number;
}
