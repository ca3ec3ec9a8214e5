import type { MessageCodec, ShardMap, ShardPlacement } from "../../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { Epoch, NodeId } from "../../../core/model/ids.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import { readFlag } from "../../../core/model/wire-fields.ts";
import { FIRST_EPOCH, readMap, readNodes, writeMap, writeNodes } from "./shard-map.ts";
import { type Ballot, readBallot, readVote, type Vote, writeBallot, writeVote } from "./vote.ts";

/**
 * A decided map: for whoever knows an older one. To a replica, with a request id, a `place-state` is
 * due; to a coordinator the id names a round of a write that the sender has refused under this map.
 */
export interface PlaceMapMessage {
  readonly type: "place-map";
  /** 0: no answer is due, or no round was refused. */
  readonly requestId: number;
  readonly map: ShardMap;
}

/** The sender has heard of this epoch, and wants its map. */
export interface PlaceWanted {
  readonly type: "place-wanted";
  readonly epoch: Epoch;
}

/** The first phase of a try to decide what follows `base`. */
export interface PlacePrepare {
  readonly type: "place-prepare";
  readonly requestId: number;
  readonly base: ShardMap;
  readonly ballot: Ballot;
}

/** The second: `next` shall follow `base`. */
export interface PlaceAccept {
  readonly type: "place-accept";
  readonly requestId: number;
  readonly base: ShardMap;
  readonly ballot: Ballot;
  readonly next: ShardMap;
}

/** All that a replica can say about who holds the shard; what is in it is durable there. */
export interface PlaceState {
  readonly type: "place-state";
  readonly requestId: number;
  readonly map: ShardMap;
  readonly vote: Vote | undefined;
  /** Whether its copy answers for the shard, and its vote counts. */
  readonly serving: boolean;
  /** It has learned all that a switch of this pending epoch asks of it; 0: of none. */
  readonly readyFor: number;
}

/** To a coordinator: the change of `map` to `goal` has stood still for too long, and is to be taken on. */
export interface PlaceOverdue {
  readonly type: "place-overdue";
  readonly map: ShardMap;
  readonly goal: readonly NodeId[];
}

/**
 * To the replica of the coordinator's own node, and from nobody else: replicas that cannot be reached
 * are given up. A `place-state` is due.
 */
export interface PlaceRecover {
  readonly type: "place-recover";
  readonly requestId: number;
}

export type PlaceMessage =
  | PlaceMapMessage
  | PlaceWanted
  | PlacePrepare
  | PlaceAccept
  | PlaceState
  | PlaceOverdue
  | PlaceRecover;

/**
 * Says for which epoch of its shard's map a message was made. One without is of the first: shards
 * that were never moved pay nothing.
 */
export interface AtEpoch<Message> {
  readonly type: "at-epoch";
  readonly epoch: Epoch;
  /** Of a replica's answer to one that has lost what it had said itself. */
  readonly vote: Vote | undefined;
  readonly message: Message;
}

export function atEpoch<Message>(
  { epoch }: Pick<ShardPlacement, "epoch">,
  message: Message,
  vote?: Vote,
): Message | AtEpoch<Message> {
  if (epoch === FIRST_EPOCH && vote === undefined) return message;
  return { type: "at-epoch", epoch, vote, message };
}

/** Above the types of all other messages of the leaderless strategies. */
const TAGS = Object.freeze({
  "at-epoch": 0xf0,
  "place-map": 0xf1,
  "place-wanted": 0xf2,
  "place-prepare": 0xf3,
  "place-accept": 0xf4,
  "place-state": 0xf5,
  "place-overdue": 0xf6,
  "place-recover": 0xf7,
});

/** The codec of `inner` with the messages of this file beside it. */
export function withPlaces<Message extends { readonly type: string }>(
  inner: MessageCodec<Message>,
): MessageCodec<Message | PlaceMessage | AtEpoch<Message>> {
  return Object.freeze({
    encode(message: Message | PlaceMessage | AtEpoch<Message>, writer: ByteWriter): void {
      if (message.type === "at-epoch") {
        const { epoch, vote, message: carried } = message as AtEpoch<Message>;
        writer.u8(TAGS["at-epoch"]);
        writer.u32(epoch);
        writeOptional(vote, writer);
        inner.encode(carried, writer);
      } else if (message.type in TAGS) encodePlace(message as PlaceMessage, writer);
      else inner.encode(message as Message, writer);
    },
    addTo(
      last: Message | PlaceMessage | AtEpoch<Message>,
      message: Message | PlaceMessage | AtEpoch<Message>,
      writer: ByteWriter,
    ): boolean {
      if (last.type in TAGS || message.type in TAGS) return false;
      return inner.addTo?.(last as Message, message as Message, writer) === true;
    },
    decode(reader: ByteReader): Message | PlaceMessage | AtEpoch<Message> {
      const tag = reader.peek();
      if (tag < TAGS["at-epoch"]) return inner.decode(reader);
      if (tag !== TAGS["at-epoch"]) return decodePlace(reader);
      reader.u8();
      const epoch = readEpoch(reader);
      const vote = readOptional(reader);
      return { type: "at-epoch", epoch, vote, message: inner.decode(reader) };
    },
  });
}

function encodePlace(message: PlaceMessage, writer: ByteWriter): void {
  writer.u8(TAGS[message.type]);
  switch (message.type) {
    case "place-map":
      writer.u32(message.requestId);
      writeMap(message.map, writer);
      break;
    case "place-wanted":
      writer.u32(message.epoch);
      break;
    case "place-prepare":
    case "place-accept":
      writer.u32(message.requestId);
      writeMap(message.base, writer);
      writeBallot(message.ballot, writer);
      if (message.type === "place-accept") writeMap(message.next, writer);
      break;
    case "place-state":
      writer.u32(message.requestId);
      writeMap(message.map, writer);
      writeOptional(message.vote, writer);
      writer.u8(message.serving ? 1 : 0);
      writer.u32(message.readyFor);
      break;
    case "place-overdue":
      writeMap(message.map, writer);
      writeNodes(message.goal, writer);
      break;
    case "place-recover":
      writer.u32(message.requestId);
      break;
  }
}

function decodePlace(reader: ByteReader): PlaceMessage {
  const message = decodeKnown(reader);
  reader.end();
  return message;
}

function decodeKnown(reader: ByteReader): PlaceMessage {
  const tag = reader.u8();
  switch (tag) {
    case TAGS["place-map"]:
      return { type: "place-map", requestId: reader.u32(), map: readMap(reader) };
    case TAGS["place-wanted"]:
      return { type: "place-wanted", epoch: readEpoch(reader) };
    case TAGS["place-prepare"]: {
      const requestId = reader.u32();
      const base = readMap(reader);
      return { type: "place-prepare", requestId, base, ballot: readBallot(reader) };
    }
    case TAGS["place-accept"]: {
      const requestId = reader.u32();
      const base = readMap(reader);
      const ballot = readBallot(reader);
      const next = readMap(reader);
      if (next.epoch !== base.epoch + 1) {
        throw new MalformedBytesError(`epoch ${next.epoch} after ${base.epoch}`);
      }
      return { type: "place-accept", requestId, base, ballot, next };
    }
    case TAGS["place-state"]: {
      const requestId = reader.u32();
      const map = readMap(reader);
      const vote = readOptional(reader);
      const serving = readFlag(reader);
      const readyFor = reader.u32();
      return { type: "place-state", requestId, map, vote, serving, readyFor };
    }
    case TAGS["place-overdue"]: {
      const map = readMap(reader);
      return { type: "place-overdue", map, goal: readNodes(reader) };
    }
    case TAGS["place-recover"]:
      return { type: "place-recover", requestId: reader.u32() };
    default:
      throw new MalformedBytesError(`message type ${tag}`);
  }
}

function writeOptional(vote: Vote | undefined, writer: ByteWriter): void {
  writer.u8(vote === undefined ? 0 : 1);
  if (vote !== undefined) writeVote(vote, writer);
}

function readOptional(reader: ByteReader): Vote | undefined {
  return readFlag(reader) ? readVote(reader) : undefined;
}

function readEpoch(reader: ByteReader): Epoch {
  const epoch = reader.u32();
  if (epoch < FIRST_EPOCH) throw new MalformedBytesError(`epoch ${epoch}`);
  return epoch as Epoch;
}
