/**
 * Branded identifiers. A brand costs nothing at run time and keeps a shard from being passed for
 * a request. One meaning for each word, everywhere.
 */
declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Name of one Capstan process as the configuration spells it: 1–64 of `[A-Za-z0-9._-]`. */
export type NodeId = Brand<string, "NodeId">;

/** 128 random bits in hex, made when a data directory is made (memory storage: at every start). */
export type StoreId = Brand<string, "StoreId">;

/** 128 random bits in hex, minted once when a cluster is born. */
export type ClusterId = Brand<string, "ClusterId">;

/** Grows at every start of one store id. */
export type Incarnation = Brand<number, "Incarnation">;

/** Version of the cluster map. */
export type Epoch = Brand<number, "Epoch">;

/**
 * 48 bits: `hash32(keyspace name) × 65,536 + shard index`. The same on every node and over
 * restarts without a table that would have to be agreed; two keyspace names with one hash are
 * refused when the configuration is checked.
 */
export type ShardId = Brand<number, "ShardId">;

/** Rises by one per record of one shard, from 1. 0 is "nothing yet". */
export type LogSequence = Brand<number, "LogSequence">;

/** Rises with every record of a node's shared log, whatever the shard. 0 is "nothing yet". */
export type LogPosition = Brand<number, "LogPosition">;

export const NO_SEQUENCE = 0 as LogSequence;
export const NO_POSITION = 0 as LogPosition;

const SHARDS_PER_KEYSPACE = 65_536;

export function shardIdOf(keyspaceHash: number, shardIndex: number): ShardId {
  return (keyspaceHash * SHARDS_PER_KEYSPACE + shardIndex) as ShardId;
}

export function shardIndexOf(shard: ShardId): number {
  return shard % SHARDS_PER_KEYSPACE;
}

export function keyspaceHashOf(shard: ShardId): number {
  return Math.floor(shard / SHARDS_PER_KEYSPACE);
}
