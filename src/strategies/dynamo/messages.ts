import type { MessageCodec } from "../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import {
  type HybridTime,
  MAX_HYBRID_TIME,
  readStamp,
  type Stamp,
  writeStamp,
} from "../../core/model/stamp.ts";
import { ownCopy, readFlag } from "../../core/model/wire-fields.ts";
import { type CopyMessage, makeCopyCodec } from "../leaderless/messages.ts";
import { type AtEpoch, type PlaceMessage, withPlaces } from "../leaderless/place/place-messages.ts";
import { type KeyedRecord, splitPayload } from "../leaderless/record.ts";
import { CausalContext, readTimedDots, writeTimedDots } from "./causal-context.ts";
import { checkRecord } from "./dotted-record.ts";
import type { NewEvent } from "./mint.ts";
import { readDelta, type StateDelta, writeDelta } from "./states/state-delta.ts";

/** To the one node that is to name a client's write, and to keep it in the same step. */
export interface MintMessage {
  readonly type: "mint";
  readonly requestId: number;
  /** Names the client's operation, so that it is minted once however often this comes. */
  readonly operation: Stamp;
  /** It may have come before: mint it only if it certainly was not minted then. */
  readonly again: boolean;
  /** What the write follows is not newer than this. */
  readonly newestTime: HybridTime;
  readonly key: Uint8Array;
  readonly event: NewEvent;
}

/** Whether an operation was minted here; nothing is minted. */
export interface RecallMessage {
  readonly type: "recall";
  readonly requestId: number;
  readonly operation: Stamp;
}

/**
 * - `minted`: the record of the key with the write in it comes along, or what the write has added to
 *   it. It vouches for nothing: an acknowledgement follows when it is durable.
 * - `known`: it was minted here, and is durable. Only to a `recall`.
 * - `forgotten`: it may have been minted before, and this node cannot tell.
 * - the others: it was not, and will not be.
 */
export type MintVerdict =
  | "minted"
  | "known"
  | "forgotten"
  | "too-many-siblings"
  | "too-large"
  | "context-full"
  | "refused"
  | "no-room";

export interface MintedMessage {
  readonly type: "minted";
  readonly requestId: number;
  readonly verdict: MintVerdict;
  readonly keyed: KeyedRecord | undefined;
  /** Of an operation on a CRDT: over the wire in the place of `keyed`, within a node beside it. */
  readonly delta?: StateDelta | undefined;
  /** What a person may want to know of a refusal. */
  readonly reason: string;
}

/**
 * What one operation has added to a CRDT, for a copy that holds all that it rests on: answered by a
 * `write-ack`, as a write is, or by a `gap`.
 */
export interface DeltaMessage {
  readonly type: "delta";
  readonly requestId: number;
  readonly delta: StateDelta;
}

/** The copy lacks something that the delta rests on: send it the record. */
export interface GapMessage {
  readonly type: "gap";
  readonly requestId: number;
}

export type DynamoMessage = CopyMessages | PlaceMessage | AtEpoch<CopyMessages>;

/** All but who holds the shard. */
export type CopyMessages =
  | CopyMessage
  | MintMessage
  | RecallMessage
  | MintedMessage
  | DeltaMessage
  | GapMessage;

const LEADERLESS = 0;
const MINT = 1;
const MINTED = 2;
const RECALL = 3;
const DELTA = 4;
const GAP = 5;
const EVENTS: readonly NewEvent["type"][] = Object.freeze(["put", "delete", "update"]);
const VERDICTS: readonly MintVerdict[] = Object.freeze([
  "minted",
  "known",
  "forgotten",
  "too-many-siblings",
  "too-large",
  "context-full",
  "refused",
  "no-room",
]);
const MAX_KEY_BYTES = 1_024;
/** Of a write that is to be named. */
const HAS_SEEN = 1;
const HAS_EXPIRY = 2;
const HAS_UNSEEN = 4;

const OWN = Object.freeze({ mint: MINT, minted: MINTED, recall: RECALL, delta: DELTA, gap: GAP });
const inner = makeCopyCodec(checkRecord);

export const dynamoCodec: MessageCodec<DynamoMessage> = withPlaces<CopyMessages>({
  encode,
  addTo: (last, message, writer) =>
    !isOwn(last) && !isOwn(message) && inner.addTo?.(last, message, writer) === true,
  decode,
});

/** Of this strategy alone. */
function isOwn(message: CopyMessages): message is Exclude<CopyMessages, CopyMessage> {
  return message.type in OWN;
}

function encode(message: CopyMessages, writer: ByteWriter): void {
  switch (message.type) {
    case "mint":
      writer.u8(MINT);
      encodeMint(message, writer);
      break;
    case "recall":
      writer.u8(RECALL);
      writer.u32(message.requestId);
      writeStamp(writer, message.operation);
      break;
    case "minted":
      writer.u8(MINTED);
      encodeMinted(message, writer);
      break;
    case "delta":
      writer.u8(DELTA);
      writer.u32(message.requestId);
      writeDelta(writer, message.delta);
      break;
    case "gap":
      writer.u8(GAP);
      writer.u32(message.requestId);
      break;
    default:
      writer.u8(LEADERLESS);
      inner.encode(message, writer);
  }
}

function encodeMint(message: MintMessage, writer: ByteWriter): void {
  const { event } = message;
  writer.u32(message.requestId);
  writeStamp(writer, message.operation);
  writer.u8(message.again ? 1 : 0);
  writer.u64(message.newestTime);
  writer.u8(EVENTS.indexOf(event.type));
  const { seen, unseen = [], expiresAtMs } = event;
  writer.u8(
    (seen === undefined ? 0 : HAS_SEEN) |
      (expiresAtMs === undefined ? 0 : HAS_EXPIRY) |
      (unseen.length === 0 ? 0 : HAS_UNSEEN),
  );
  seen?.write(writer);
  if (unseen.length > 0) writeTimedDots(writer, unseen);
  if (expiresAtMs !== undefined) writer.u64(expiresAtMs);
  writer.bytes(message.key);
  if (event.value !== undefined) writer.raw(event.value);
}

function encodeMinted(message: MintedMessage, writer: ByteWriter): void {
  writer.u32(message.requestId);
  writer.u8(VERDICTS.indexOf(message.verdict));
  writer.string(message.reason);
  if (message.verdict !== "minted") return;
  writer.u8(message.delta === undefined ? 0 : 1);
  if (message.delta !== undefined) writeDelta(writer, message.delta);
  else if (message.keyed !== undefined) writer.raw(message.keyed.payload);
}

function decode(reader: ByteReader): CopyMessages {
  const tag = reader.u8();
  switch (tag) {
    case LEADERLESS:
      return inner.decode(reader);
    case MINT:
      return decodeMint(reader);
    case RECALL: {
      const requestId = reader.u32();
      const operation = readStamp(reader);
      reader.end();
      return { type: "recall", requestId, operation };
    }
    case MINTED:
      return decodeMinted(reader);
    case DELTA: {
      const requestId = reader.u32();
      return { type: "delta", requestId, delta: readDelta(reader) };
    }
    case GAP: {
      const requestId = reader.u32();
      reader.end();
      return { type: "gap", requestId };
    }
    default:
      throw new MalformedBytesError(`message of kind ${tag}`);
  }
}

function decodeMint(reader: ByteReader): MintMessage {
  const requestId = reader.u32();
  const operation = readStamp(reader);
  const again = readFlag(reader);
  const newestTime = reader.u64();
  if (newestTime > MAX_HYBRID_TIME) throw new MalformedBytesError(`a time of ${newestTime}`);
  const type = EVENTS[reader.u8()];
  if (type === undefined) throw new MalformedBytesError("an unknown kind of write");
  const flags = reader.u8();
  if (flags > (HAS_SEEN | HAS_EXPIRY | HAS_UNSEEN)) {
    throw new MalformedBytesError(`flags ${flags} of a write`);
  }
  const seen = (flags & HAS_SEEN) === 0 ? undefined : CausalContext.read(reader);
  const unseen = (flags & HAS_UNSEEN) === 0 ? [] : readTimedDots(reader);
  if (seen === undefined && unseen.length > 0) {
    throw new MalformedBytesError("a write without a context that names what is not in it");
  }
  const expiresAtMs = (flags & HAS_EXPIRY) === 0 ? undefined : reader.u64();
  if (expiresAtMs !== undefined && (type !== "put" || !Number.isSafeInteger(expiresAtMs))) {
    throw new MalformedBytesError(`an expiry of ${expiresAtMs} of a ${type}`);
  }
  const key = ownCopy(reader.bytes(MAX_KEY_BYTES));
  if (key.length === 0) throw new MalformedBytesError("a write without a key");
  const rest = ownCopy(reader.raw(reader.remaining));
  if (type === "delete" && rest.length > 0) throw new MalformedBytesError("a deletion of a value");
  const value = type === "delete" ? undefined : rest;
  const event: NewEvent = {
    ...{ type, value, seen },
    ...(unseen.length > 0 && { unseen }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  return { type: "mint", requestId, operation, again, newestTime, key, event };
}

function decodeMinted(reader: ByteReader): MintedMessage {
  const requestId = reader.u32();
  const verdict = VERDICTS[reader.u8()];
  if (verdict === undefined) throw new MalformedBytesError("an unknown verdict");
  const reason = reader.string();
  if (verdict !== "minted") {
    reader.end();
    return { type: "minted", requestId, verdict, keyed: undefined, reason };
  }
  if (readFlag(reader)) {
    return {
      type: "minted",
      requestId,
      verdict,
      keyed: undefined,
      delta: readDelta(reader),
      reason,
    };
  }
  const keyed = splitPayload(ownCopy(reader.raw(reader.remaining)), checkRecord);
  return { type: "minted", requestId, verdict, keyed, reason };
}
