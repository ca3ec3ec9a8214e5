import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { RaftMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { raftCodec } from "../../../../src/strategies/raft/codec.ts";
import { MAX_LISTED, type PairMessage } from "../../../../src/strategies/raft/pair-messages.ts";
import { PAIR_MESSAGES } from "../../../support/messages/pair-messages.ts";

function encoded(message: PairMessage): Uint8Array {
  const writer = new ByteWriter();
  raftCodec.encode(message, writer);
  return writer.copy();
}

function decoded(bytes: Uint8Array): RaftMessage {
  return raftCodec.decode(new ByteReader(bytes)) as RaftMessage;
}

test.each(PAIR_MESSAGES)("$type comes back as it was", (message) => {
  expect(decoded(encoded(message))).toEqual(message);
});

test.each(PAIR_MESSAGES)("$type that is cut short or too long is refused", (message) => {
  const bytes = encoded(message);
  for (let length = 1; length < bytes.length; length++) {
    expect(() => decoded(bytes.subarray(0, length)), `${length} bytes`).toThrow();
  }
  expect(() => decoded(Buffer.concat([bytes, Buffer.of(0)]))).toThrow("1 bytes too many");
});

test("an unknown type, and a list that nobody would send, are refused", () => {
  expect(() => decoded(Uint8Array.of(120))).toThrow("message type 120");
  const shards = Array.from({ length: MAX_LISTED + 1 }, () => ({ shardIndex: 1, term: 1 }));
  expect(() => decoded(encoded({ type: "pair-answer", disowned: shards }))).toThrow(
    `${MAX_LISTED + 1} resting shards`,
  );
});
