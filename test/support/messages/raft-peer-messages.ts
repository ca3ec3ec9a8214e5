import type { NodeId, StoreId } from "../../../src/core/model/ids.ts";
import type { Configuration } from "../../../src/strategies/raft/configuration.ts";
import type { AppliedPoint } from "../../../src/strategies/raft/consensus-types.ts";
import { sealEntry, unsealedEntry } from "../../../src/strategies/raft/entry.ts";
import type { PeerMessage } from "../../../src/strategies/raft/peer-messages.ts";

const CONFIGURATION: Configuration = {
  voters: [
    { node: "a" as NodeId, storeId: "" as StoreId },
    { node: "b" as NodeId, storeId: "0123" as StoreId },
  ],
  outgoing: [{ node: "c" as NodeId, storeId: "" as StoreId }],
  learners: [],
  goal: { voters: [{ node: "b" as NodeId, storeId: "0123" as StoreId }], learners: [] },
};
const POINT: AppliedPoint = {
  index: 900,
  term: 7,
  configuration: CONFIGURATION,
  configurationIndex: 12,
};

function sealed(text: string, term: number): Uint8Array {
  const record = unsealedEntry(Buffer.from(text));
  sealEntry(record, "command", term);
  return Buffer.from(record);
}

/** One at least of each that replicas of a raft shard say to each other. */
export const RAFT_PEER_MESSAGES: readonly PeerMessage[] = [
  { type: "vote", term: 2 ** 40, pre: true, transfer: false, lastIndex: 9, lastTerm: 3 },
  { type: "vote-reply", term: 4, pre: false, granted: true, recovering: false, original: true },
  {
    ...{ type: "append", term: 5, round: 77, prevIndex: 3, prevTerm: 4, commitIndex: 2 },
    records: [sealed("one", 4), sealed("", 5)],
  },
  { type: "append", term: 5, round: 1, prevIndex: 0, prevTerm: 0, commitIndex: 0, records: [] },
  {
    ...{ type: "append-reply", term: 5, round: 77, rejected: true, index: 3 },
    ...{ hintIndex: 2, hintTerm: 1, original: false },
  },
  { type: "heartbeat", term: 5, round: 78, commitIndex: 4, lastIndex: 6 },
  { type: "heartbeat-reply", term: 5, round: 78, matchedIndex: 4, original: true },
  { type: "read-index", term: 5, token: 2 ** 53 - 1 },
  { type: "read-index-reply", term: 5, token: 3, index: 8, failure: undefined },
  { type: "read-index-reply", term: 5, token: 3, index: 0, failure: "not-leader" },
  { type: "take-over", term: 5 },
  { type: "rest", term: 5, commitIndex: 2 ** 40 },
  { type: "stir", term: 5 },
  { type: "dismissal", term: 5, index: 40, configuration: CONFIGURATION },
  {
    ...{ type: "snapshot-chunk", term: 5, snapshot: 1, number: 2, last: true, point: POINT },
    chunk: Buffer.from("state"),
  },
  {
    ...{ type: "snapshot-reply", term: 5, snapshot: 1, next: 3, installed: true, index: 900 },
    original: false,
  },
];
