import type { ShardMap } from "../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../src/core/model/ids.ts";
import { Summary } from "../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";
import type { LeaderlessMessage } from "../../../src/strategies/leaderless/messages.ts";
import type { Ballot, Vote } from "../../../src/strategies/leaderless/place/vote.ts";
import { makeKeyedRecord } from "../../../src/strategies/leaderless/record.ts";

const node = (name: string): NodeId => name as NodeId;
const nodes = (...names: readonly string[]): readonly NodeId[] => names.map(node);
const BALLOT: Ballot = { round: 3, node: node("n1"), nonce: 0xfeed_beef };
const MAP: ShardMap = {
  epoch: 2 as Epoch,
  replicas: nodes("n1", "n2", "n3"),
  pending: nodes("n2", "n3", "n4"),
  leaving: undefined,
};
const NEXT: ShardMap = {
  epoch: 3 as Epoch,
  replicas: nodes("n2", "n3", "n4"),
  pending: undefined,
  leaving: nodes("n1", "n2", "n3"),
};
const VOTE: Vote = {
  epoch: 2 as Epoch,
  promised: BALLOT,
  accepted: { ballot: BALLOT, map: NEXT },
};
const KEY = Buffer.from("cart/é");
const STAMP = { time: 1_795_000_000_000 * 4_096 + 7, actorHigh: 0xdead_beef, actorLow: 1 };
const RECORD = makeKeyedRecord(KEY, STAMP, Buffer.from("value"));
const SUM = Object.assign(new Summary(), { count: 5, high: 0x0102_0304, low: 0xa0b0_c0d0 });
const ONE = Object.assign(new Summary(), { count: 1, high: 7, low: 9 });
const WHOLE = { from: undefined, to: undefined };
const PART = { from: Buffer.from("a"), to: Buffer.from("cart/z") };

/** What replicas say to each other beside `leaderlessMessages`: hints, repair, and who holds a shard. */
export const LEADERLESS_SAMPLES: readonly LeaderlessMessage[] = [
  { type: "hint", requestId: 0, targets: nodes("n2", "n3"), key: KEY },
  { type: "handoff", requestId: 7, records: [RECORD] },
  { type: "handoff-ack", requestId: 7 },
  {
    ...{ type: "reconcile", requestId: 4, settledRound: 0, isAnswer: false, upTo: 0 },
    ...{ spans: [{ span: WHOLE, summary: SUM }], lists: [], records: [], wants: [] },
  },
  {
    ...{ type: "reconcile", requestId: 0, settledRound: 9, isAnswer: true, upTo: 0, spans: [] },
    lists: [{ span: PART, entries: [{ key: KEY, summary: ONE }] }],
    ...{ records: [RECORD], wants: [Buffer.from("cart/f"), Buffer.from("cart/g")] },
  },
  {
    ...{ type: "reconcile", requestId: 5, settledRound: 0, isAnswer: false, upTo: 2 ** 52 + 3 },
    ...{ spans: [{ span: WHOLE, summary: SUM }], lists: [], records: [], wants: [] },
  },
  { type: "place-map", requestId: 0, map: MAP },
  { type: "place-map", requestId: 5, map: NEXT },
  { type: "place-wanted", epoch: 4 as Epoch },
  { type: "place-prepare", requestId: 6, base: MAP, ballot: BALLOT },
  { type: "place-accept", requestId: 6, base: MAP, ballot: BALLOT, next: NEXT },
  { type: "place-state", requestId: 6, map: MAP, vote: VOTE, serving: true, readyFor: 2 },
  { type: "place-state", requestId: 6, map: NEXT, vote: undefined, serving: false, readyFor: 0 },
  { type: "place-overdue", map: MAP, goal: nodes("n2", "n3", "n4") },
  { type: "place-recover", requestId: 8 },
  { type: "standing", requestId: 0, serving: false },
  { type: "standing", requestId: 0, serving: true },
  {
    ...{ type: "at-epoch", epoch: 3 as Epoch, vote: undefined },
    message: { type: "read", requestId: 5, stampOnly: true, key: KEY },
  },
  {
    ...{ type: "at-epoch", epoch: 3 as Epoch, vote: VOTE },
    message: { type: "read-reply", requestId: 5, serving: true, record: undefined },
  },
];
