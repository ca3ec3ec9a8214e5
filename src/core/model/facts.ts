import type { NodeId } from "./ids.ts";

/** Which replicas came to hold a write, or the writes of one batch; the seed's `replication_log`. */
export interface ReplicationFact {
  readonly type: "replication";
  readonly shardIndex: number;
  /** 1, or how many writes of a batch this stands for. */
  readonly writes: number;
  readonly operation?: "put" | "delete" | "update";
  /** Of one write. */
  readonly key?: Uint8Array;
  readonly version?: string;
  /** Of a batch: the log's sequences, both included. */
  readonly sequences?: readonly [first: number, last: number];
  /** Those that are known to hold it, durably as the keyspace demands. */
  readonly replicatedTo: readonly NodeId[];
}

/** Versions of one key that did not know of each other, and what became of them. */
export interface ConflictFact {
  readonly type: "conflict";
  readonly shardIndex: number;
  readonly key: Uint8Array;
  /** Names of the versions that met. */
  readonly versions: readonly string[];
  /** The resolver's name, or `siblings` where they stay apart. */
  readonly resolution: string;
  /** What is there now; left out where they stay apart. */
  readonly resolvedVersion?: string;
  /** How many of them are gone without anything that descends from them. */
  readonly discarded: number;
}

export type Fact = ReplicationFact | ConflictFact;
