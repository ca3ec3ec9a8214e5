import type { Sender } from "../../core/contracts/machine.ts";
import type { Incarnation, NodeId } from "../../core/model/ids.ts";
import { NO_PLANTED_PAIR_BUGS, type PlantedPairBugs } from "./planted-bugs.ts";

/** A resting shard, as one side of a pair of nodes has it. */
export interface RestingShard {
  readonly shardIndex: number;
  readonly term: number;
}

interface Entry extends RestingShard {
  readonly marks: readonly [number, number];
  /** Since when it has been resting: younger than the table's last word it was vouched for then. */
  readonly sinceMs: number;
}

/** What the table holds, in few bytes: equal tables have equal digests, others hardly ever. */
export interface RestDigest {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

/**
 * The resting shards that one node leads and another follows, as one of the two has them.
 *
 * Invariant: `digest` is the sum, without carry, of the marks of all entries.
 */
export class RestTable {
  readonly #entries = new Map<number, Entry>();
  #high = 0;
  #low = 0;
  /**
   * At the follower's node: when the leader's was last heard to vouch for all of the table. At the
   * leader's: when that was sent which the follower's has last answered.
   */
  confirmedAtMs = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#entries.size;
  }

  get digest(): RestDigest {
    return { count: this.#entries.size, high: this.#high, low: this.#low };
  }

  has({ shardIndex, term }: RestingShard): boolean {
    return this.#entries.get(shardIndex)?.term === term;
  }

  /** In order of the shards. */
  sorted(): readonly RestingShard[] {
    return [...this.#entries.values()].sort((a, b) => a.shardIndex - b.shardIndex);
  }

  add(shard: RestingShard, incarnation: Incarnation, nowMs: number): void {
    this.delete(shard.shardIndex);
    const { shardIndex, term } = shard;
    const high = mark(1, shardIndex, term, incarnation);
    const low = mark(2, shardIndex, term, incarnation);
    this.#entries.set(shardIndex, { shardIndex, term, marks: [high, low], sinceMs: nowMs });
    this.#toggle(high, low);
  }

  delete(shardIndex: number): void {
    const entry = this.#entries.get(shardIndex);
    if (entry === undefined) return;
    this.#entries.delete(shardIndex);
    this.#toggle(...entry.marks);
  }

  /** Until when the shard is known to be in order. */
  confirmedAt(shardIndex: number): number {
    const entry = this.#entries.get(shardIndex);
    if (entry === undefined) return Number.NEGATIVE_INFINITY;
    return Math.max(entry.sinceMs, this.confirmedAtMs);
  }

  /** Those that nothing has been heard of since `beforeMs`. */
  overdue(beforeMs: number): readonly RestingShard[] {
    return this.confirmedAtMs >= beforeMs ? [] : this.enteredBefore(beforeMs);
  }

  enteredBefore(beforeMs: number): readonly RestingShard[] {
    return [...this.#entries.values()].filter((entry) => entry.sinceMs < beforeMs);
  }

  #toggle(high: number, low: number): void {
    this.#high = (this.#high ^ high) >>> 0;
    this.#low = (this.#low ^ low) >>> 0;
  }
}

/**
 * Which shards of one keyspace rest on this node: those that it leads in silence, by follower, and
 * those that it follows in silence, by leader. The replicas enter and leave; what they stand for is
 * said by the heartbeats between this node and each other one (`PairHeartbeats`).
 *
 * Invariants:
 * - a shard is in the tables of one role only, and under one term;
 * - it leaves them in the step in which its replica stirs, so that no heartbeat that this node sends
 *   from then on vouches for it.
 */
export class Pairs {
  readonly planted: PlantedPairBugs;
  /** By follower. */
  readonly led = new Map<NodeId, RestTable>();
  /** By leader. */
  readonly followed = new Map<NodeId, RestTable>();
  readonly #places = new Map<number, readonly RestTable[]>();
  /** Whether somebody sees to the heartbeats. */
  isKept = false;

  constructor(planted: PlantedPairBugs = NO_PLANTED_PAIR_BUGS) {
    this.planted = planted;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Nobody sends heartbeats yet, and there is something to send them for. */
  get wantsKeeper(): boolean {
    return !this.isKept && this.#places.size > 0;
  }

  /** This node leads the shard, and from here on says so only by the heartbeats to these nodes. */
  lead(shard: RestingShard, self: Sender, followers: readonly NodeId[], nowMs: number): void {
    const tables = followers.map((node) => this.#table(this.led, node));
    this.#enter(shard, self.incarnation, tables, nowMs);
  }

  /** This node follows `leader`, and from here on hears so only by its heartbeats. */
  follow(shard: RestingShard, leader: Sender, nowMs: number): void {
    this.#enter(shard, leader.incarnation, [this.#table(this.followed, leader.node)], nowMs);
  }

  leave(shardIndex: number): void {
    for (const table of this.#places.get(shardIndex) ?? []) table.delete(shardIndex);
    this.#places.delete(shardIndex);
  }

  /** When the node that leads this resting shard was last heard to do so. */
  vouchedAtMs(leader: NodeId, shardIndex: number): number {
    return this.followed.get(leader)?.confirmedAt(shardIndex) ?? Number.NEGATIVE_INFINITY;
  }

  /** When that was sent which the node has last answered. It says nothing of any one shard. */
  answeredAtMs(follower: NodeId): number {
    return this.led.get(follower)?.confirmedAtMs ?? Number.NEGATIVE_INFINITY;
  }

  #enter(
    shard: RestingShard,
    incarnation: Incarnation,
    tables: readonly RestTable[],
    nowMs: number,
  ): void {
    this.leave(shard.shardIndex);
    for (const table of tables) table.add(shard, incarnation, nowMs);
    if (tables.length > 0) this.#places.set(shard.shardIndex, tables);
  }

  #table(tables: Map<NodeId, RestTable>, node: NodeId): RestTable {
    const known = tables.get(node);
    if (known !== undefined) return known;
    const table = new RestTable();
    tables.set(node, table);
    return table;
  }
}

/** 32 bits that differ for every shard, term and incarnation, and for each seed in another way. */
function mark(seed: number, shardIndex: number, term: number, incarnation: number): number {
  let hash = Math.imul(seed, 0x9e3779b1);
  hash = mix(hash, shardIndex);
  hash = mix(hash, term);
  hash = mix(hash, Math.floor(term / 0x1_0000_0000));
  hash = mix(hash, incarnation);
  hash = mix(hash, Math.floor(incarnation / 0x1_0000_0000));
  return hash >>> 0;
}

function mix(hash: number, word: number): number {
  let mixed = hash ^ (word | 0);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) + 0x6d2b79f5;
}
