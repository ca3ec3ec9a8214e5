import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { RestDigest, RestingShard } from "./pairs.ts";

/** Between the coordinators of two nodes, about the shards that rest between them. */
export type PairMessage = PairHeartbeat | PairReply | PairQuestion | PairAnswer | PairsBegin;

/** From a node that leads resting shards, to one that follows in them. */
export interface PairHeartbeat extends RestDigest {
  readonly type: "pair-heartbeat";
  readonly round: number;
}

/** The digest is that of what is followed. */
export interface PairReply {
  readonly type: "pair-reply";
  readonly round: number;
}

/** It is not: this is what is followed of the shards from `from` up to, without it, `to`. */
export interface PairQuestion {
  readonly type: "pair-question";
  readonly round: number;
  readonly from: number;
  readonly to: number;
  readonly shards: readonly RestingShard[];
}

/** For these the leader's node does not vouch. */
export interface PairAnswer {
  readonly type: "pair-answer";
  readonly disowned: readonly RestingShard[];
}

/** From a replica to its own node's coordinator: a shard has come to rest. */
export interface PairsBegin {
  readonly type: "pairs-begin";
}

const TYPES = Object.freeze({
  "pair-heartbeat": 96,
  "pair-reply": 97,
  "pair-question": 98,
  "pair-answer": 99,
  "pairs-begin": 100,
});
export const FIRST_PAIR_MESSAGE = 96;
/** In one message: what is ahead of other control messages stays below 64 KiB. */
export const MAX_LISTED = 4_096;

export function encodePairMessage(message: PairMessage, writer: ByteWriter): void {
  writer.u8(TYPES[message.type]);
  switch (message.type) {
    case "pair-heartbeat":
      writer.u64(message.round);
      writer.u32(message.count);
      writer.u32(message.high);
      writer.u32(message.low);
      break;
    case "pair-reply":
      writer.u64(message.round);
      break;
    case "pair-question":
      writer.u64(message.round);
      writer.u32(message.from);
      writer.u32(message.to);
      writeShards(writer, message.shards);
      break;
    case "pair-answer":
      writeShards(writer, message.disowned);
      break;
    case "pairs-begin":
      break;
  }
}

/** Of a message whose first byte, `type`, has been read and is at least `FIRST_PAIR_MESSAGE`. */
export function decodePairMessage(type: number, reader: ByteReader): PairMessage {
  const message = decodeBody(type, reader);
  reader.end();
  return message;
}

function decodeBody(type: number, reader: ByteReader): PairMessage {
  switch (type) {
    case TYPES["pair-heartbeat"]: {
      const round = reader.u64();
      const count = reader.u32();
      const high = reader.u32();
      return { type: "pair-heartbeat", round, count, high, low: reader.u32() };
    }
    case TYPES["pair-reply"]:
      return { type: "pair-reply", round: reader.u64() };
    case TYPES["pair-question"]: {
      const round = reader.u64();
      const from = reader.u32();
      const to = reader.u32();
      return { type: "pair-question", round, from, to, shards: readShards(reader) };
    }
    case TYPES["pair-answer"]:
      return { type: "pair-answer", disowned: readShards(reader) };
    case TYPES["pairs-begin"]:
      return { type: "pairs-begin" };
    default:
      throw new MalformedBytesError(`message type ${type}`);
  }
}

function writeShards(writer: ByteWriter, shards: readonly RestingShard[]): void {
  writer.u32(shards.length);
  for (const { shardIndex, term } of shards) {
    writer.u32(shardIndex);
    writer.u64(term);
  }
}

function readShards(reader: ByteReader): readonly RestingShard[] {
  const count = reader.u32();
  if (count > MAX_LISTED) throw new MalformedBytesError(`${count} resting shards in one message`);
  return Array.from({ length: count }, () => ({ shardIndex: reader.u32(), term: reader.u64() }));
}
