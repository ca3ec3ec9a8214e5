import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { Configuration } from "../../../../src/strategies/raft/configuration.ts";
import type { AppliedPoint } from "../../../../src/strategies/raft/consensus-types.ts";
import {
  ENTRY_HEADER_BYTES,
  kindOfEntry,
  payloadOfEntry,
  sealEntry,
  termOfEntry,
  unsealedEntry,
} from "../../../../src/strategies/raft/entry.ts";
import {
  decodePeerMessage,
  encodePeerMessage,
} from "../../../../src/strategies/raft/peer-codec.ts";
import type { PeerMessage } from "../../../../src/strategies/raft/peer-messages.ts";

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

const MESSAGES: readonly PeerMessage[] = [
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

function encoded(message: PeerMessage): Uint8Array {
  const writer = new ByteWriter();
  encodePeerMessage(message, writer);
  return writer.copy();
}

function decoded(bytes: Uint8Array): PeerMessage {
  const reader = new ByteReader(bytes);
  return decodePeerMessage(reader.u8(), reader);
}

test.each(MESSAGES)("$type comes back as it was", (message) => {
  expect(decoded(encoded(message))).toEqual(message);
});

test.each(MESSAGES)("$type that is cut short anywhere is refused", (message) => {
  const bytes = encoded(message);
  // The last field of a chunk is all that is left.
  const end =
    message.type === "snapshot-chunk" ? bytes.length - message.chunk.length : bytes.length;
  for (let length = 1; length < end; length++) {
    expect(() => decoded(bytes.subarray(0, length)), `${length} bytes`).toThrow();
  }
});

test("what is decoded does not change with the frame that it came in", () => {
  const bytes = encoded(MESSAGES[2] as PeerMessage);
  const message = decoded(bytes);
  bytes.fill(0xff);
  expect(message).toEqual(MESSAGES[2]);
});

test("an unknown type, a wrong flag and an entry of no kind are refused", () => {
  expect(() => decoded(Uint8Array.of(40, ...new Array(8).fill(0)))).toThrow("message type 40");
  const vote = encoded(MESSAGES[0] as PeerMessage);
  vote[9] = 2;
  expect(() => decoded(vote)).toThrow("flag 2");
  const record = sealed("x", 1);
  record[0] = 9;
  const append = { ...(MESSAGES[3] as PeerMessage), records: [record] } as PeerMessage;
  expect(() => decoded(encoded(append))).toThrow("entry kind 9");
});

test("an entry says its kind and its term, and has its payload behind them", () => {
  const record = unsealedEntry(Buffer.from("payload"));
  sealEntry(record, "configuration", 2 ** 45 + 3);
  expect(kindOfEntry(record)).toBe("configuration");
  expect(termOfEntry(record)).toBe(2 ** 45 + 3);
  expect(Buffer.from(payloadOfEntry(record)).toString()).toBe("payload");
  expect(record.length).toBe(ENTRY_HEADER_BYTES + 7);
  expect(() => sealEntry(new Uint8Array(8), "no-op", 1)).toThrow("no room");
});
