import { expect, test } from "vitest";
import type { Sender } from "../../../../src/core/contracts/machine.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import { PairHeartbeats, type PairPorts } from "../../../../src/strategies/raft/pair-heartbeats.ts";
import type { PairMessage } from "../../../../src/strategies/raft/pair-messages.ts";
import { Pairs } from "../../../../src/strategies/raft/pairs.ts";
import type { PlantedPairBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { timingOf } from "../../../../src/strategies/raft/settings.ts";

const TIMING = timingOf(500);
const BEAT = TIMING.heartbeatMs;

/** One node's part of the pairs, without consensus: whoever is stirred leaves. */
class Node {
  readonly self: Sender;
  pairs: Pairs;
  readonly stirred: number[] = [];
  sent: { to: NodeId; message: PairMessage }[] = [];
  timerAtMs = Number.POSITIVE_INFINITY;
  readonly #heartbeats: PairHeartbeats;
  #nowMs = 0;

  constructor(name: string, incarnation = 1, planted?: PlantedPairBugs) {
    this.self = {
      node: name as NodeId,
      storeId: "store" as StoreId,
      incarnation: incarnation as Incarnation,
    };
    this.pairs = new Pairs(planted);
    this.#heartbeats = new PairHeartbeats(this.pairs, TIMING);
  }

  lead(shardIndex: number, term: number, followers: readonly Node[], nowMs: number): void {
    const nodes = followers.map((follower) => follower.self.node);
    this.pairs.lead({ shardIndex, term }, this.self, nodes, nowMs);
    this.#at(nowMs, (ports) => this.#heartbeats.maybeBegin(nowMs, ports));
  }

  follow(shardIndex: number, term: number, leader: Node, nowMs: number): void {
    this.pairs.follow({ shardIndex, term }, leader.self, nowMs);
    this.#at(nowMs, (ports) => this.#heartbeats.maybeBegin(nowMs, ports));
  }

  beat(nowMs: number): void {
    this.#at(nowMs, (ports) => this.#heartbeats.onTimer(nowMs, ports));
  }

  hear(from: Node, message: PairMessage, nowMs: number): void {
    this.#at(nowMs, (ports) => this.#heartbeats.onMessage(from.self, message, nowMs, ports));
  }

  #at(nowMs: number, work: (ports: PairPorts) => void): void {
    this.#nowMs = nowMs;
    work({
      send: (to, message) => this.sent.push({ to, message }),
      stir: ({ shardIndex }) => {
        this.stirred.push(shardIndex);
        this.pairs.leave(shardIndex);
      },
      setTimer: (delayMs) => {
        this.timerAtMs = this.#nowMs + delayMs;
      },
    });
  }
}

/** Everything that is on its way arrives; the types of it, in order. */
function settle(nodes: readonly Node[], nowMs: number): readonly string[] {
  const types: string[] = [];
  for (let isMoved = true; isMoved; ) {
    isMoved = false;
    for (const from of nodes) {
      const { sent } = from;
      from.sent = [];
      for (const { to, message } of sent) {
        isMoved = true;
        types.push(message.type);
        nodes.find((node) => node.self.node === to)?.hear(from, message, nowMs);
      }
    }
  }
  return types;
}

function restBoth(leader: Node, follower: Node, shards: number, term = 1): void {
  for (let shard = 0; shard < shards; shard++) {
    follower.follow(shard, term, leader, 0);
    leader.lead(shard, term, [follower], 0);
  }
  leader.sent = [];
  follower.sent = [];
}

test("a thousand shards are vouched for by one message and one answer", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 1_000);
  a.beat(BEAT);
  b.beat(BEAT);
  expect(settle([a, b], BEAT)).toEqual(["pair-heartbeat", "pair-reply"]);
  expect(b.pairs.vouchedAtMs(a.self.node, 999)).toBe(BEAT);
  expect(a.pairs.answeredAtMs(b.self.node)).toBe(BEAT);
  expect([...a.stirred, ...b.stirred]).toEqual([]);
});

test("followers stir after three silent beats, leaders after the lower end of the draw", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 3);
  for (let beat = 1; beat <= 3; beat++) for (const node of [a, b]) node.beat(beat * BEAT);
  expect([a.stirred, b.stirred]).toEqual([[], []]);
  for (const node of [a, b]) node.beat(4 * BEAT);
  expect([a.stirred, b.stirred]).toEqual([[], [0, 1, 2]]);
  for (let beat = 5; beat * BEAT <= TIMING.electionLowerMs + BEAT; beat++) a.beat(beat * BEAT);
  expect(a.stirred).toEqual([0, 1, 2]);
});

test("a node that was asleep itself first reads what came meanwhile, but not for ever", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 1);
  b.beat(20 * BEAT);
  expect(b.stirred).toEqual([]);
  b.beat(40 * BEAT);
  expect(b.stirred).toEqual([0]);
});

test("a shard that its leader does not vouch for in this term stirs at its follower alone", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 4);
  a.pairs.leave(1);
  a.lead(2, 2, [b], 0);
  a.beat(BEAT);
  const types = settle([a, b], BEAT);
  expect(types).toEqual(["pair-heartbeat", "pair-question", "pair-answer"]);
  expect(b.stirred).toEqual([1, 2]);
  // The one that is led in another term was told long ago by the next beat.
  a.beat(2 * BEAT);
  settle([a, b], 2 * BEAT);
  expect(a.stirred).toEqual([2]);
  a.beat(3 * BEAT);
  expect(settle([a, b], 3 * BEAT)).toEqual(["pair-heartbeat", "pair-reply"]);
});

test("without comparing what is vouched for, a follower believes in a leader that is none", () => {
  const [a, b] = [new Node("a"), new Node("b", 1, { digestIgnored: true })];
  restBoth(a, b, 2);
  a.pairs.leave(1);
  for (let beat = 1; beat <= 20; beat++) {
    for (const node of [a, b]) node.beat(beat * BEAT);
    settle([a, b], beat * BEAT);
  }
  expect(b.stirred).toEqual([]);
});

test("a shard that is not followed stirs at its leader, unless it was only just told", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 1);
  a.lead(7, 3, [b], BEAT);
  a.sent = [];
  a.beat(BEAT);
  settle([a, b], BEAT);
  expect(a.stirred).toEqual([]);
  for (let beat = 2; beat <= 3; beat++) {
    a.beat(beat * BEAT);
    settle([a, b], beat * BEAT);
  }
  expect(a.stirred).toEqual([7]);
  expect(b.stirred).toEqual([]);
});

test("what another life of the leader's node vouched for is not taken for this one's", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  restBoth(a, b, 2);
  const reborn = new Node("a", 2);
  for (let shard = 0; shard < 2; shard++) reborn.lead(shard, 1, [b], -2 * BEAT);
  reborn.sent = [];
  reborn.beat(BEAT);
  expect(settle([reborn, b], BEAT)[1]).toBe("pair-question");
});

test("a list that is too long for one message is told in parts, each about its own shards", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  const shards = 10_000;
  restBoth(a, b, shards);
  a.pairs.leave(0);
  b.pairs.leave(9_999);
  a.beat(2 * BEAT);
  const types = settle([a, b], 2 * BEAT);
  expect(types.filter((type) => type === "pair-question").length).toBe(3);
  expect([a.stirred, b.stirred]).toEqual([[9_999], [0]]);
});

test("nobody beats where nothing rests", () => {
  const [a, b] = [new Node("a"), new Node("b")];
  expect(a.timerAtMs).toBe(Number.POSITIVE_INFINITY);
  restBoth(a, b, 1);
  a.pairs.leave(0);
  a.timerAtMs = Number.POSITIVE_INFINITY;
  a.beat(BEAT);
  expect(a.sent).toEqual([]);
  expect(a.timerAtMs).toBe(Number.POSITIVE_INFINITY);
  a.lead(3, 1, [b], 2 * BEAT);
  expect(a.timerAtMs).toBe(3 * BEAT);
});
