import type { GroupBy } from "./configuration-types.ts";

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const UTF8 = new TextEncoder();

/**
 * MurmurHash3 x86_32 (Appleby, 2011). Where keys lie depends on it, on disks and on other nodes:
 * it never changes. Not for secrets: collisions are easy to make.
 */
export function hash32(bytes: Uint8Array, seed = 0): number {
  return hashRange(bytes, 0, bytes.length, seed);
}

/** Two seeds, and then the two hashes under them: 64 bits in all. */
export interface HashPair {
  high: number;
  low: number;
}

/**
 * `hash32` under both seeds of the pair, which gets the results. Reading the bytes and scrambling
 * them is the same for every seed, and is done once.
 */
export function hashPair(bytes: Uint8Array, pair: HashPair): void {
  const { length } = bytes;
  const tail = length - (length & 3);
  let high = pair.high | 0;
  let low = pair.low | 0;
  for (let at = 0; at < tail; at += 4) {
    const block = scramble(
      (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24),
    );
    high ^= block;
    low ^= block;
    high = Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64;
    low = Math.imul((low << 13) | (low >>> 19), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let at = length - 1; at >= tail; at--) rest = (rest << 8) | (bytes[at] as number);
  if (tail < length) {
    rest = scramble(rest);
    high ^= rest;
    low ^= rest;
  }
  pair.high = avalanche(high ^ length);
  pair.low = avalanche(low ^ length);
}

/** `hash32` of the bytes from `from` on. */
export function hash32From(bytes: Uint8Array, from: number): number {
  return hashRange(bytes, from, bytes.length, 0);
}

/** `hash32` of the UTF-8 form. */
export function hashText(text: string, seed = 0): number {
  return hash32(UTF8.encode(text), seed);
}

/**
 * The slice of a keyspace that a key belongs to, `0 ≤ index < shards`: by its whole bytes, or by
 * the group that `groupBy` cuts out of it. An empty group is no group: the whole key decides.
 */
export function shardIndexForKey(key: Uint8Array, groupBy: GroupBy, shards: number): number {
  if (shards === 1) return 0;
  if (groupBy === "whole") return hashRange(key, 0, key.length, 0) % shards;
  if (groupBy === "tag") return hashOfTag(key) % shards;
  const separator = groupBy.prefix.separator;
  const end = Buffer.from(key.buffer, key.byteOffset, key.length).indexOf(separator, 0, "utf8");
  return hashRange(key, 0, end > 0 ? end : key.length, 0) % shards;
}

/**
 * Names a keyspace in 32 bits, never 0: shard 0 of hash 0 is where a node keeps what belongs to no
 * shard (`NODE_SHARD`).
 */
export function keyspaceHash(name: string): number {
  return hashText(name) || 1;
}

/** What stands between the first `{` and the next `}`, as Redis Cluster cuts its hash tags. */
function hashOfTag(key: Uint8Array): number {
  const open = key.indexOf(OPENING_BRACE);
  if (open >= 0) {
    const close = key.indexOf(CLOSING_BRACE, open + 1);
    if (close > open + 1) return hashRange(key, open + 1, close, 0);
  }
  return hashRange(key, 0, key.length, 0);
}

function hashRange(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = seed | 0;
  const tail = to - ((to - from) & 3);
  for (let at = from; at < tail; at += 4) {
    const block =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash ^= scramble(block);
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let at = to - 1; at >= tail; at--) rest = (rest << 8) | (bytes[at] as number);
  if (tail < to) hash ^= scramble(rest);
  return avalanche(hash ^ (to - from));
}

function scramble(block: number): number {
  const product = Math.imul(block, C1);
  return Math.imul((product << 15) | (product >>> 17), C2);
}

function avalanche(mixed: number): number {
  let hash = mixed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
