import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { RaftTiming } from "./consensus-types.ts";
import {
  MAX_LISTED,
  type PairAnswer,
  type PairHeartbeat,
  type PairMessage,
  type PairQuestion,
} from "./pair-messages.ts";
import type { Pairs, RestDigest, RestingShard } from "./pairs.ts";
import { Rounds } from "./rounds.ts";

/** Of silence, in heartbeats, until followers stop believing: below the lower end of the draw. */
const BELIEVED_BEATS = 3;
const NO_SHARD = 0;
const EVERY_SHARD = 0xffff_ffff;

/** What comes of a step. */
export interface PairPorts {
  /** To the coordinator there, at once. */
  send(node: NodeId, message: PairMessage): void;
  /** To this node's replica: it is not vouched for, or not heard, in this term any more. */
  stir(shard: RestingShard): void;
  setTimer(delayMs: number): void;
}

/**
 * The heartbeats of one keyspace between this node and the others, for all shards that rest: one
 * per follower's node and beat, however many shards there are (thesis §6.2 has one per shard).
 *
 * - A leader's node says which shards it leads in silence, by a digest of (shard, term, its own
 *   incarnation). Where the follower's node has the same digest its followers go on believing.
 * - Where it has another one, it tells what it follows. The leader's node disowns what it does not
 *   vouch for, and stirs what is not followed: both sides then have the same.
 * - Silence stirs both: followers, so that they stand by their own timers, and leaders, so that
 *   they find out whether a quorum still hears them (CheckQuorum).
 *
 * Nothing of this is a promise: leases rest on answers in the shard's own rounds alone.
 */
export class PairHeartbeats {
  readonly #pairs: Pairs;
  readonly #timing: RaftTiming;
  readonly #rounds = new Rounds();
  #dueAtMs = Number.POSITIVE_INFINITY;
  #wasLate = false;

  constructor(pairs: Pairs, timing: RaftTiming) {
    this.#pairs = pairs;
    this.#timing = timing;
    // The one before this one has thrown, with its timer.
    pairs.isKept = false;
  }

  /** Shards rest: somebody has to vouch for them. */
  maybeBegin(nowMs: number, ports: PairPorts): void {
    if (this.#pairs.wantsKeeper) this.#beat(nowMs, ports);
  }

  onTimer(nowMs: number, ports: PairPorts): void {
    const { heartbeatMs } = this.#timing;
    const isLate = nowMs - this.#dueAtMs > heartbeatMs;
    // Whoever was asleep has not heard what came meanwhile: it is read first. Once, not for ever.
    if (!isLate || this.#wasLate) this.#stirUnheard(nowMs, ports);
    this.#wasLate = isLate && !this.#wasLate;
    this.#pairs.isKept = false;
    if (this.#pairs.size > 0) this.#beat(nowMs, ports);
  }

  onMessage(from: Sender, message: PairMessage, nowMs: number, ports: PairPorts): void {
    switch (message.type) {
      case "pair-heartbeat":
        this.#onHeartbeat(from.node, message, nowMs, ports);
        break;
      case "pair-reply":
        this.#heard(from.node, message.round);
        break;
      case "pair-question":
        this.#onQuestion(from.node, message, ports);
        break;
      case "pair-answer":
        this.#onAnswer(from.node, message, ports);
        break;
      case "pairs-begin":
        break;
    }
    this.maybeBegin(nowMs, ports);
  }

  #beat(nowMs: number, ports: PairPorts): void {
    const round = this.#rounds.begin(nowMs);
    for (const [node, table] of this.#pairs.led) {
      if (table.size > 0) ports.send(node, { type: "pair-heartbeat", round, ...table.digest });
    }
    this.#pairs.isKept = true;
    this.#dueAtMs = nowMs + this.#timing.heartbeatMs;
    ports.setTimer(this.#timing.heartbeatMs);
  }

  #stirUnheard(nowMs: number, ports: PairPorts): void {
    const { heartbeatMs, electionLowerMs } = this.#timing;
    const { followed, led, planted } = this.#pairs;
    if (planted.silenceBelieved !== true) {
      const believedMs = BELIEVED_BEATS * heartbeatMs;
      for (const table of followed.values()) stirAll(table.overdue(nowMs - believedMs), ports);
    }
    for (const table of led.values()) stirAll(table.overdue(nowMs - electionLowerMs), ports);
  }

  #onHeartbeat(node: NodeId, heartbeat: PairHeartbeat, nowMs: number, ports: PairPorts): void {
    const { round } = heartbeat;
    const table = this.#pairs.followed.get(node);
    const isSame = isEqual(heartbeat, table?.digest ?? NOTHING);
    if (isSame || this.#pairs.planted.digestIgnored === true) {
      if (table !== undefined) table.confirmedAtMs = nowMs;
      ports.send(node, { type: "pair-reply", round });
      return;
    }
    const shards = table?.sorted() ?? [];
    for (let at = 0; at === 0 || at < shards.length; at += MAX_LISTED) {
      const part = shards.slice(at, at + MAX_LISTED);
      const from = at === 0 ? NO_SHARD : (part[0] as RestingShard).shardIndex;
      const to = shards[at + MAX_LISTED]?.shardIndex ?? EVERY_SHARD;
      ports.send(node, { type: "pair-question", round, from, to, shards: part });
    }
  }

  #onQuestion(node: NodeId, { round, from, to, shards }: PairQuestion, ports: PairPorts): void {
    this.#heard(node, round);
    const table = this.#pairs.led.get(node);
    const disowned = shards.filter((shard) => table?.has(shard) !== true);
    if (disowned.length > 0) ports.send(node, { type: "pair-answer", disowned });
    const followed = new Map(shards.map((shard) => [shard.shardIndex, shard.term]));
    // What was told shortly before the beat may have been overtaken by it.
    const toldBeforeMs = this.#rounds.sentAtMs(round) - this.#timing.heartbeatMs;
    for (const shard of table?.enteredBefore(toldBeforeMs) ?? []) {
      const { shardIndex, term } = shard;
      if (shardIndex < from || shardIndex >= to || followed.get(shardIndex) === term) continue;
      ports.stir(shard);
    }
  }

  #onAnswer(node: NodeId, { disowned }: PairAnswer, ports: PairPorts): void {
    const table = this.#pairs.followed.get(node);
    for (const shard of disowned) if (table?.has(shard) === true) ports.stir(shard);
  }

  #heard(node: NodeId, round: number): void {
    const table = this.#pairs.led.get(node);
    if (table === undefined) return;
    table.confirmedAtMs = Math.max(table.confirmedAtMs, this.#rounds.sentAtMs(round));
  }
}

const NOTHING: RestDigest = Object.freeze({ count: 0, high: 0, low: 0 });

function isEqual(a: RestDigest, b: RestDigest): boolean {
  return a.count === b.count && a.high === b.high && a.low === b.low;
}

function stirAll(shards: readonly RestingShard[], ports: PairPorts): void {
  for (const shard of shards) ports.stir(shard);
}
