import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { readConfiguration, writeConfiguration } from "./configuration.ts";
import type { AppliedPoint, ReadFailure } from "./consensus-types.ts";
import { checkEntry } from "./entry.ts";
import type {
  AppendReply,
  AppendRequest,
  Dismissal,
  PeerMessage,
  SnapshotChunk,
} from "./peer-messages.ts";

/** First bytes of the messages between replicas; the shard's other messages begin at 64. */
const TYPES = Object.freeze({
  vote: 1,
  "vote-reply": 2,
  append: 3,
  "append-reply": 4,
  heartbeat: 5,
  "heartbeat-reply": 6,
  "read-index": 7,
  "read-index-reply": 8,
  "take-over": 9,
  "snapshot-chunk": 10,
  "snapshot-reply": 11,
  rest: 12,
  stir: 13,
  dismissal: 14,
});
export const FIRST_OTHER_MESSAGE = 64;

const FAILURES: readonly (ReadFailure | undefined)[] = Object.freeze([
  undefined,
  "not-leader",
  "timed-out",
]);
const MAX_RECORDS = 65_536;

export function encodePeerMessage(message: PeerMessage, writer: ByteWriter): void {
  writer.u8(TYPES[message.type]);
  writer.u64(message.term);
  switch (message.type) {
    case "vote":
      writeFlag(writer, message.pre);
      writeFlag(writer, message.transfer);
      writer.u64(message.lastIndex);
      writer.u64(message.lastTerm);
      break;
    case "vote-reply":
      writeFlag(writer, message.pre);
      writeFlag(writer, message.granted);
      writeFlag(writer, message.recovering);
      writeFlag(writer, message.original);
      break;
    case "append":
      encodeAppend(message, writer);
      break;
    case "append-reply":
      writer.u64(message.round);
      writeFlag(writer, message.rejected);
      writer.u64(message.index);
      writer.u64(message.hintIndex);
      writer.u64(message.hintTerm);
      writeFlag(writer, message.original);
      break;
    case "heartbeat":
      writer.u64(message.round);
      writer.u64(message.commitIndex);
      writer.u64(message.lastIndex);
      break;
    case "heartbeat-reply":
      writer.u64(message.round);
      writer.u64(message.matchedIndex);
      writeFlag(writer, message.original);
      break;
    case "read-index":
      writer.u64(message.token);
      break;
    case "read-index-reply":
      writer.u64(message.token);
      writer.u64(message.index);
      writer.u8(FAILURES.indexOf(message.failure));
      break;
    case "take-over":
    case "stir":
      break;
    case "rest":
      writer.u64(message.commitIndex);
      break;
    case "dismissal":
      writeDismissal(writer, message);
      break;
    case "snapshot-chunk":
      writer.u32(message.snapshot);
      writer.u32(message.number);
      writeFlag(writer, message.last);
      writePoint(writer, message.point);
      writer.raw(message.chunk);
      break;
    case "snapshot-reply":
      writer.u32(message.snapshot);
      writer.u32(message.next);
      writeFlag(writer, message.installed);
      writer.u64(message.index);
      writeFlag(writer, message.original);
      break;
  }
}

function encodeAppend(message: AppendRequest, writer: ByteWriter): void {
  writer.u64(message.round);
  writer.u64(message.prevIndex);
  writer.u64(message.prevTerm);
  writer.u64(message.commitIndex);
  writer.u32(message.records.length);
  for (const record of message.records) writer.bytes(record);
}

function writeDismissal(writer: ByteWriter, { index, configuration }: Dismissal): void {
  writer.u64(index);
  writeConfiguration(writer, configuration);
}

/** Of a message whose first byte, `type`, has been read and is below `FIRST_OTHER_MESSAGE`. */
export function decodePeerMessage(type: number, reader: ByteReader): PeerMessage {
  const term = reader.u64();
  const message = decodeBody(type, term, reader);
  reader.end();
  return message;
}

function decodeBody(type: number, term: number, reader: ByteReader): PeerMessage {
  switch (type) {
    case TYPES.vote: {
      const pre = readFlag(reader);
      const transfer = readFlag(reader);
      return { type: "vote", term, pre, transfer, lastIndex: reader.u64(), lastTerm: reader.u64() };
    }
    case TYPES["vote-reply"]: {
      const pre = readFlag(reader);
      const granted = readFlag(reader);
      const recovering = readFlag(reader);
      const original = readFlag(reader);
      return { type: "vote-reply", term, pre, granted, recovering, original };
    }
    case TYPES.append:
      return decodeAppend(term, reader);
    case TYPES["append-reply"]:
      return decodeAppendReply(term, reader);
    case TYPES.heartbeat: {
      const round = reader.u64();
      const commitIndex = reader.u64();
      return { type: "heartbeat", term, round, commitIndex, lastIndex: reader.u64() };
    }
    case TYPES["heartbeat-reply"]: {
      const round = reader.u64();
      const matchedIndex = reader.u64();
      return { type: "heartbeat-reply", term, round, matchedIndex, original: readFlag(reader) };
    }
    case TYPES["read-index"]:
      return { type: "read-index", term, token: reader.u64() };
    case TYPES["read-index-reply"]: {
      const token = reader.u64();
      const index = reader.u64();
      return { type: "read-index-reply", term, token, index, failure: readFailure(reader) };
    }
    case TYPES["take-over"]:
      return { type: "take-over", term };
    case TYPES.rest:
      return { type: "rest", term, commitIndex: reader.u64() };
    case TYPES.stir:
      return { type: "stir", term };
    case TYPES.dismissal: {
      const index = reader.u64();
      return { type: "dismissal", term, index, configuration: readConfiguration(reader) };
    }
    case TYPES["snapshot-chunk"]:
      return decodeChunk(term, reader);
    case TYPES["snapshot-reply"]: {
      const snapshot = reader.u32();
      const next = reader.u32();
      const installed = readFlag(reader);
      const index = reader.u64();
      const original = readFlag(reader);
      return { type: "snapshot-reply", term, snapshot, next, installed, index, original };
    }
    default:
      throw new MalformedBytesError(`message type ${type}`);
  }
}

function decodeAppend(term: number, reader: ByteReader): AppendRequest {
  const round = reader.u64();
  const prevIndex = reader.u64();
  const prevTerm = reader.u64();
  const commitIndex = reader.u64();
  const count = reader.u32();
  if (count > MAX_RECORDS) throw new MalformedBytesError(`${count} entries in one message`);
  const records: Uint8Array[] = [];
  // Frames are borrowed: one copy for all entries, of which each is a part.
  const body = new ByteReaderOver(reader);
  for (let i = 0; i < count; i++) {
    const record = body.bytes();
    checkEntry(record);
    records.push(record);
  }
  body.end();
  return { type: "append", term, round, prevIndex, prevTerm, commitIndex, records };
}

/** The rest of a message in one copy, cut into the runs of bytes that were written to it. */
class ByteReaderOver {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(reader: ByteReader) {
    this.#bytes = owned(reader.raw(reader.remaining));
  }

  bytes(): Uint8Array {
    const start = this.#at + 4;
    if (start > this.#bytes.length) throw new MalformedBytesError("an entry's length is missing");
    const end = start + this.#bytes.readUInt32BE(this.#at);
    if (end > this.#bytes.length) {
      throw new MalformedBytesError(`an entry ends ${end - this.#bytes.length} bytes too late`);
    }
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new MalformedBytesError(`${left} bytes too many`);
  }
}

function decodeAppendReply(term: number, reader: ByteReader): AppendReply {
  const round = reader.u64();
  const rejected = readFlag(reader);
  const index = reader.u64();
  const hintIndex = reader.u64();
  const hintTerm = reader.u64();
  const original = readFlag(reader);
  return { type: "append-reply", term, round, rejected, index, hintIndex, hintTerm, original };
}

function decodeChunk(term: number, reader: ByteReader): SnapshotChunk {
  const snapshot = reader.u32();
  const number = reader.u32();
  const last = readFlag(reader);
  const point = readPoint(reader);
  const chunk = owned(reader.raw(reader.remaining));
  return { type: "snapshot-chunk", term, snapshot, number, last, point, chunk };
}

export function writePoint(writer: ByteWriter, point: AppliedPoint): void {
  writer.u64(point.index);
  writer.u64(point.term);
  writer.u64(point.configurationIndex);
  writeFlag(writer, point.configuration !== undefined);
  if (point.configuration !== undefined) writeConfiguration(writer, point.configuration);
}

export function readPoint(reader: ByteReader): AppliedPoint {
  const index = reader.u64();
  const term = reader.u64();
  const configurationIndex = reader.u64();
  const configuration = readFlag(reader) ? readConfiguration(reader) : undefined;
  return { index, term, configurationIndex, configuration };
}

function readFailure(reader: ByteReader): ReadFailure | undefined {
  const index = reader.u8();
  if (index >= FAILURES.length) throw new MalformedBytesError(`read failure ${index}`);
  return FAILURES[index];
}

function writeFlag(writer: ByteWriter, flag: boolean): void {
  writer.u8(flag ? 1 : 0);
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new MalformedBytesError(`flag ${flag}`);
  return flag === 1;
}

function owned(view: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(view.length);
  copy.set(view);
  return copy;
}
