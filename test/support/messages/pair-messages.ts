import type { PairMessage } from "../../../src/strategies/raft/pair-messages.ts";

const SHARDS = [
  { shardIndex: 0, term: 1 },
  { shardIndex: 0xffff_ffff, term: Number.MAX_SAFE_INTEGER },
];
/** What nodes say to each other about raft shards that rest. */
export const PAIR_MESSAGES: readonly PairMessage[] = [
  { type: "pair-heartbeat", round: 2 ** 50, count: 1_000, high: 0xffff_ffff, low: 0 },
  { type: "pair-reply", round: 3 },
  { type: "pair-question", round: 3, from: 0, to: 0xffff_ffff, shards: SHARDS },
  { type: "pair-question", round: 3, from: 0, to: 0xffff_ffff, shards: [] },
  { type: "pair-answer", disowned: SHARDS },
  { type: "pairs-begin" },
];
