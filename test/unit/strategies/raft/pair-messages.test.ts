import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { RaftMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { raftCodec } from "../../../../src/strategies/raft/codec.ts";
import { MAX_LISTED, type PairMessage } from "../../../../src/strategies/raft/pair-messages.ts";

const SHARDS = [
  { shardIndex: 0, term: 1 },
  { shardIndex: 0xffff_ffff, term: Number.MAX_SAFE_INTEGER },
];
const MESSAGES: readonly PairMessage[] = [
  { type: "pair-heartbeat", round: 2 ** 50, count: 1_000, high: 0xffff_ffff, low: 0 },
  { type: "pair-reply", round: 3 },
  { type: "pair-question", round: 3, from: 0, to: 0xffff_ffff, shards: SHARDS },
  { type: "pair-question", round: 3, from: 0, to: 0xffff_ffff, shards: [] },
  { type: "pair-answer", disowned: SHARDS },
  { type: "pairs-begin" },
];

function encoded(message: PairMessage): Uint8Array {
  const writer = new ByteWriter();
  raftCodec.encode(message, writer);
  return writer.copy();
}

function decoded(bytes: Uint8Array): RaftMessage {
  return raftCodec.decode(new ByteReader(bytes)) as RaftMessage;
}

test.each(MESSAGES)("$type comes back as it was", (message) => {
  expect(decoded(encoded(message))).toEqual(message);
});

test.each(MESSAGES)("$type that is cut short or too long is refused", (message) => {
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
