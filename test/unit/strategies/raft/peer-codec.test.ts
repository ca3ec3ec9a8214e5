import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
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
import { RAFT_PEER_MESSAGES } from "../../../support/messages/raft-peer-messages.ts";

function encoded(message: PeerMessage): Uint8Array {
  const writer = new ByteWriter();
  encodePeerMessage(message, writer);
  return writer.copy();
}

function decoded(bytes: Uint8Array): PeerMessage {
  const reader = new ByteReader(bytes);
  return decodePeerMessage(reader.u8(), reader);
}

test.each(RAFT_PEER_MESSAGES)("$type comes back as it was", (message) => {
  expect(decoded(encoded(message))).toEqual(message);
});

test.each(RAFT_PEER_MESSAGES)("$type that is cut short anywhere is refused", (message) => {
  const bytes = encoded(message);
  // The last field of a chunk is all that is left.
  const end =
    message.type === "snapshot-chunk" ? bytes.length - message.chunk.length : bytes.length;
  for (let length = 1; length < end; length++) {
    expect(() => decoded(bytes.subarray(0, length)), `${length} bytes`).toThrow();
  }
});

test("what is decoded does not change with the frame that it came in", () => {
  const bytes = encoded(RAFT_PEER_MESSAGES[2] as PeerMessage);
  const message = decoded(bytes);
  bytes.fill(0xff);
  expect(message).toEqual(RAFT_PEER_MESSAGES[2]);
});

test("an unknown type, a wrong flag and an entry of no kind are refused", () => {
  expect(() => decoded(Uint8Array.of(40, ...new Array(8).fill(0)))).toThrow("message type 40");
  const vote = encoded(RAFT_PEER_MESSAGES[0] as PeerMessage);
  vote[9] = 2;
  expect(() => decoded(vote)).toThrow("flag 2");
  const record = unsealedEntry(Buffer.from("x"));
  sealEntry(record, "command", 1);
  record[0] = 9;
  const append = { ...(RAFT_PEER_MESSAGES[3] as PeerMessage), records: [record] } as PeerMessage;
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
