import type { MessageCodec } from "../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { type HybridTime, readStamp, type Stamp, writeStamp } from "../../core/model/stamp.ts";
import { optionAt, ownCopy, readFlag, readHybridTime } from "../../core/model/wire-fields.ts";
import {
  type ReconcileMessage,
  readReconcile,
  writeReconcile,
} from "./anti-entropy/reconcile-message.ts";
import {
  type HandoffAck,
  type HandoffMessage,
  type HintMessage,
  readHandoff,
  readHandoffAck,
  readHint,
  writeHandoff,
  writeHandoffAck,
  writeHint,
} from "./handoff/handoff-messages.ts";
import { type AtEpoch, type PlaceMessage, withPlaces } from "./place/place-messages.ts";
import { checkRecord, type KeyedRecord, splitPayload } from "./record.ts";
import { readSettle, type SettleMessage, writeSettle } from "./settling/settle-messages.ts";

/**
 * - `first-hand`: a client's write from its coordinator: the clock guard applies, an ack is due.
 * - `write-back`: a version that a quorum is to hold before a read may answer: an ack is due.
 * - `repair`: a version for a replica that answered with an older one: nobody waits.
 */
export type WriteKind = "first-hand" | "write-back" | "repair";

export interface WriteMessage {
  readonly type: "write";
  readonly requestId: number;
  readonly kind: WriteKind;
  /** The stamp that a stamp beyond the clock guard follows. */
  readonly proof: Stamp | undefined;
  readonly keyed: KeyedRecord;
}

/**
 * - `stored`: it is the key's version here now.
 * - `equal`: it was already.
 * - `newer`: the replica holds a version that includes it, whose stamp comes along; nothing was
 *   stored.
 * - `skewed`: the stamp lies beyond the clock guard; nothing was stored.
 * - `reused`: other bytes are here under this very stamp; nothing was stored.
 */
export type WriteVerdict = "stored" | "equal" | "newer" | "skewed" | "reused";

export interface WriteAck {
  readonly type: "write-ack";
  readonly requestId: number;
  readonly verdict: WriteVerdict;
  /** False while the replica is being rebuilt: it has stored, and counts nowhere. */
  readonly serving: boolean;
  /** With `newer`: the stamp that is there. */
  readonly stamp: Stamp | undefined;
  /** Further requests of which the same is said, of any shards; those of one message come together. */
  readonly others?: readonly number[] | undefined;
}

export interface ReadMessage {
  readonly type: "read";
  readonly requestId: number;
  /** Only the record's header is wanted. */
  readonly stampOnly: boolean;
  /** A record of more bytes is answered with its digest. Left out: none is. */
  readonly digestAbove?: number | undefined;
  readonly key: Uint8Array;
}

export interface ReadReply {
  readonly type: "read-reply";
  readonly requestId: number;
  readonly serving: boolean;
  /** Cut to its header where only the stamp was asked for; a summary in a digest. */
  readonly record: Uint8Array | undefined;
  /** Of a digest: how many bytes the record has that `record` is the summary of. */
  readonly fullBytes?: number | undefined;
}

/** Serves scans and the rebuilding of replicas alike: a run of a shard's records in key order. */
export interface RangeMessage {
  readonly type: "range";
  readonly requestId: number;
  readonly purpose: RangePurpose;
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
  readonly limitBytes: number;
  readonly limitEntries: number;
}

/** `move`: as `rebuild`, for a copy that is being given the shard. */
export type RangePurpose = "scan" | "rebuild" | "move";

export interface RangeReply {
  readonly type: "range-reply";
  readonly requestId: number;
  readonly purpose: RangePurpose;
  readonly serving: boolean;
  readonly entries: readonly KeyedRecord[];
  /** Keys of the range lie beyond the last entry. */
  readonly more: boolean;
  /** Of the sender: with everything that it holds, the receiver knows what is settled, too. */
  readonly floor: HybridTime;
  readonly reapable: HybridTime;
}

/** To every node's coordinator, which does not begin what could only be met with this replica. */
export interface StandingMessage {
  readonly type: "standing";
  /** Always 0: it answers nothing. */
  readonly requestId: number;
  /** False while the replica is being rebuilt. Vouches for nothing: answers say it of themselves. */
  readonly serving: boolean;
}

export type LeaderlessMessage = CopyMessage | PlaceMessage | AtEpoch<CopyMessage>;

/** All but who holds the shard. */
export type CopyMessage =
  | WriteMessage
  | WriteAck
  | ReadMessage
  | ReadReply
  | RangeMessage
  | RangeReply
  | ReconcileMessage
  | HintMessage
  | HandoffMessage
  | HandoffAck
  | SettleMessage
  | StandingMessage;

const TYPES = Object.freeze({
  write: 1,
  "write-ack": 2,
  read: 3,
  "read-reply": 4,
  range: 5,
  "range-reply": 6,
  reconcile: 7,
  hint: 8,
  handoff: 9,
  "handoff-ack": 10,
  settle: 11,
  standing: 12,
});
const KINDS: readonly WriteKind[] = Object.freeze(["first-hand", "write-back", "repair"]);
const VERDICTS: readonly WriteVerdict[] = Object.freeze([
  "stored",
  "equal",
  "newer",
  "skewed",
  "reused",
]);
const PURPOSES: readonly RangePurpose[] = Object.freeze(["scan", "rebuild", "move"]);
/** Of an answer to a range: keys lie beyond it; floors of the sender come along. */
const FLAG_MORE = 1;
const FLAG_FLOOR = 2;
/** In the byte that says whether only the stamp is wanted. */
const DIGEST_READ = 2;
/** In the byte that says whether the replica serves. */
const DIGEST_REPLY = 2;
const MAX_RANGE_ENTRIES = 65_536;

type CheckRecord = (record: Uint8Array) => void;

/** The codec of a strategy whose records `check` accepts; it throws `MalformedBytesError`. */
export function makeCopyCodec(check: CheckRecord): MessageCodec<CopyMessage> {
  return Object.freeze({
    encode,
    addTo,
    decode: (reader: ByteReader) => decode(reader, check),
  });
}

/** Of strategies that keep stamped records. */
export const leaderlessCodec: MessageCodec<LeaderlessMessage> = withPlaces(
  makeCopyCodec(checkRecord),
);

function encode(message: CopyMessage, writer: ByteWriter): void {
  writer.u8(TYPES[message.type]);
  writer.u32(message.requestId);
  switch (message.type) {
    case "write":
      writer.u8(KINDS.indexOf(message.kind));
      writeOptionalStamp(writer, message.proof);
      writer.raw(message.keyed.payload);
      break;
    case "write-ack":
      writer.u8(VERDICTS.indexOf(message.verdict));
      writer.u8(message.serving ? 1 : 0);
      writeOptionalStamp(writer, message.stamp);
      if (message.others !== undefined) for (const other of message.others) writer.u32(other);
      break;
    case "read":
      if (message.digestAbove === undefined) writer.u8(message.stampOnly ? 1 : 0);
      else {
        writer.u8(DIGEST_READ);
        writer.u32(message.digestAbove);
      }
      writer.raw(message.key);
      break;
    case "read-reply":
      writer.u8((message.serving ? 1 : 0) | (message.fullBytes === undefined ? 0 : DIGEST_REPLY));
      if (message.fullBytes !== undefined) writer.u32(message.fullBytes);
      if (message.record !== undefined) writer.raw(message.record);
      break;
    case "range":
      writer.u8(PURPOSES.indexOf(message.purpose));
      writeOptionalBytes(writer, message.from);
      writeOptionalBytes(writer, message.to);
      writer.u32(message.limitBytes);
      writer.u32(message.limitEntries);
      break;
    case "range-reply":
      writer.u8(PURPOSES.indexOf(message.purpose));
      writer.u8(message.serving ? 1 : 0);
      writer.u8((message.more ? FLAG_MORE : 0) | (message.floor > 0 ? FLAG_FLOOR : 0));
      writer.u32(message.entries.length);
      for (const entry of message.entries) writer.bytes(entry.payload);
      if (message.floor > 0) {
        writer.u64(message.floor);
        writer.u64(message.reapable);
      }
      break;
    case "reconcile":
      writeReconcile(message, writer);
      break;
    case "hint":
      writeHint(message, writer);
      break;
    case "handoff":
      writeHandoff(message, writer);
      break;
    case "handoff-ack":
      writeHandoffAck(message, writer);
      break;
    case "settle":
      writeSettle(message, writer);
      break;
    case "standing":
      writer.u8(message.serving ? 1 : 0);
      break;
  }
}

/** Acknowledgements without a stamp that differ in nothing but the request. */
function addTo(last: CopyMessage, message: CopyMessage, writer: ByteWriter): boolean {
  if (last.type !== "write-ack" || message.type !== "write-ack") return false;
  if (last.verdict !== message.verdict || last.serving !== message.serving) return false;
  if (last.stamp !== undefined || message.stamp !== undefined) return false;
  writer.u32(message.requestId);
  return true;
}

function decode(reader: ByteReader, check: CheckRecord): CopyMessage {
  const type = reader.u8();
  const requestId = reader.u32();
  switch (type) {
    case TYPES.write: {
      const kind = optionAt(KINDS, reader.u8(), "write kind");
      const proof = readOptionalStamp(reader);
      const keyed = splitPayload(ownCopy(reader.raw(reader.remaining)), check);
      return { type: "write", requestId, kind, proof, keyed };
    }
    case TYPES["write-ack"]: {
      const verdict = optionAt(VERDICTS, reader.u8(), "verdict");
      const serving = readFlag(reader);
      const stamp = readOptionalStamp(reader);
      if (stamp !== undefined || reader.remaining === 0) {
        reader.end();
        return { type: "write-ack", requestId, verdict, serving, stamp };
      }
      const others = readOthers(reader);
      return { type: "write-ack", requestId, verdict, serving, stamp, others };
    }
    case TYPES.read: {
      const kind = reader.u8();
      if (kind > DIGEST_READ) throw new MalformedBytesError(`read of kind ${kind}`);
      const stampOnly = kind === 1;
      const digestAbove = kind === DIGEST_READ ? reader.u32() : undefined;
      const key = ownCopy(reader.raw(reader.remaining));
      if (key.length === 0) throw new MalformedBytesError("a read without a key");
      if (digestAbove === undefined) return { type: "read", requestId, stampOnly, key };
      return { type: "read", requestId, stampOnly, digestAbove, key };
    }
    case TYPES["read-reply"]:
      return decodeReadReply(reader, requestId, check);
    case TYPES.range: {
      const purpose = optionAt(PURPOSES, reader.u8(), "purpose");
      const from = readOptionalBytes(reader);
      const to = readOptionalBytes(reader);
      const limitBytes = reader.u32();
      const limitEntries = reader.u32();
      reader.end();
      return { type: "range", requestId, purpose, from, to, limitBytes, limitEntries };
    }
    case TYPES["range-reply"]:
      return decodeRangeReply(reader, requestId, check);
    case TYPES.reconcile:
      return readReconcile(reader, requestId, check);
    case TYPES.hint:
      return readHint(reader, requestId);
    case TYPES.handoff:
      return readHandoff(reader, requestId, check);
    case TYPES["handoff-ack"]:
      return readHandoffAck(reader, requestId);
    case TYPES.settle:
      return readSettle(reader, requestId);
    case TYPES.standing: {
      const serving = readFlag(reader);
      reader.end();
      return { type: "standing", requestId, serving };
    }
    default:
      throw new MalformedBytesError(`message type ${type}`);
  }
}

function decodeReadReply(reader: ByteReader, requestId: number, check: CheckRecord): ReadReply {
  const flags = reader.u8();
  if (flags > (DIGEST_REPLY | 1)) throw new MalformedBytesError(`flags ${flags} of a reply`);
  const serving = (flags & 1) !== 0;
  const fullBytes = (flags & DIGEST_REPLY) === 0 ? undefined : reader.u32();
  if (reader.remaining === 0) {
    if (fullBytes !== undefined) throw new MalformedBytesError("a digest of nothing");
    return { type: "read-reply", requestId, serving, record: undefined };
  }
  const record = ownCopy(reader.raw(reader.remaining));
  check(record);
  if (fullBytes === undefined) return { type: "read-reply", requestId, serving, record };
  return { type: "read-reply", requestId, serving, record, fullBytes };
}

function decodeRangeReply(reader: ByteReader, requestId: number, check: CheckRecord): RangeReply {
  const purpose = optionAt(PURPOSES, reader.u8(), "purpose");
  const serving = readFlag(reader);
  const flags = reader.u8();
  if ((flags & ~(FLAG_MORE | FLAG_FLOOR)) !== 0) throw new MalformedBytesError(`flags ${flags}`);
  const more = (flags & FLAG_MORE) !== 0;
  const hasFloor = (flags & FLAG_FLOOR) !== 0;
  const count = reader.u32();
  if (count > MAX_RANGE_ENTRIES) throw new MalformedBytesError(`${count} entries in one reply`);
  const entries: KeyedRecord[] = [];
  for (let i = 0; i < count; i++) {
    entries.push(splitPayload(ownCopy(reader.bytes()), check));
  }
  const floor = hasFloor ? readHybridTime(reader) : 0;
  const reapable = hasFloor ? readHybridTime(reader) : 0;
  reader.end();
  return { type: "range-reply", requestId, purpose, serving, entries, more, floor, reapable };
}

/** To the end: less than a whole one is left is malformed. */
function readOthers(reader: ByteReader): readonly number[] {
  const others: number[] = new Array(Math.ceil(reader.remaining / 4));
  for (let at = 0; at < others.length; at++) others[at] = reader.u32();
  return others;
}

function writeOptionalStamp(writer: ByteWriter, stamp: Stamp | undefined): void {
  writer.u8(stamp === undefined ? 0 : 1);
  if (stamp !== undefined) writeStamp(writer, stamp);
}

function readOptionalStamp(reader: ByteReader): Stamp | undefined {
  return readFlag(reader) ? readStamp(reader) : undefined;
}

function writeOptionalBytes(writer: ByteWriter, bytes: Uint8Array | undefined): void {
  writer.u8(bytes === undefined ? 0 : 1);
  if (bytes !== undefined) writer.bytes(bytes);
}

function readOptionalBytes(reader: ByteReader): Uint8Array | undefined {
  return readFlag(reader) ? ownCopy(reader.bytes()) : undefined;
}
