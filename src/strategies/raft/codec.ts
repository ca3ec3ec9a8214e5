import type { MessageCodec } from "../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { Outcome } from "../../core/model/outcome.ts";
import type { Applied, RejectionReason } from "./apply.ts";
import type {
  ClientMessage,
  ConfigurationPoint,
  MembersMessage,
  RaftMessage,
  RangeReply,
  ReadWay,
  RefusedMessage,
  ReplicaRefusal,
  SeenBefore,
  Standpoint,
} from "./client-messages.ts";
import { bodyOfRecord, decodeBody, proposedRecord } from "./commands.ts";
import { readConfiguration, writeConfiguration } from "./configuration.ts";
import { decodePairMessage, encodePairMessage, FIRST_PAIR_MESSAGE } from "./pair-messages.ts";
import { decodePeerMessage, encodePeerMessage, FIRST_OTHER_MESSAGE } from "./peer-codec.ts";
import { checkRecord } from "./record.ts";

const TYPES = Object.freeze({
  propose: FIRST_OTHER_MESSAGE,
  read: FIRST_OTHER_MESSAGE + 1,
  range: FIRST_OTHER_MESSAGE + 2,
  "propose-reply": FIRST_OTHER_MESSAGE + 3,
  "read-reply": FIRST_OTHER_MESSAGE + 4,
  "range-reply": FIRST_OTHER_MESSAGE + 5,
  refused: FIRST_OTHER_MESSAGE + 6,
  members: FIRST_OTHER_MESSAGE + 7,
  "members-reply": FIRST_OTHER_MESSAGE + 8,
  recover: FIRST_OTHER_MESSAGE + 9,
  "propose-again": FIRST_OTHER_MESSAGE + 10,
  "is-proposed": FIRST_OTHER_MESSAGE + 11,
});
const WAYS: readonly ReadWay[] = Object.freeze(["strong", "lease", "local"]);
const REFUSALS: readonly ReplicaRefusal[] = Object.freeze([
  "not-leader",
  "backlog",
  "not-serving",
  "undecided",
  "overwritten",
  "other-life",
  "quorum-lost",
  "changing",
  "other-change",
  "not-yet",
  "quorum-present",
  "other-base",
  "proposed",
  "not-proposed",
]);
const REASONS: readonly RejectionReason[] = Object.freeze(["version-mismatch", "exists", "absent"]);
const OUTCOMES: readonly Outcome[] = Object.freeze(["applied", "not-applied", "unknown"]);
const PLAIN_OUTCOMES = Object.freeze(["fenced", "reused", "full", "forgotten"] as const);
const APPLIED = Object.freeze({
  ...{ written: 1, rejected: 2, resolved: 3, swept: 4, plain: 5 },
  forgottenBelow: 6,
});
const MAX_RANGE_ENTRIES = 65_536;

export const raftCodec: MessageCodec<RaftMessage> = Object.freeze({ encode, decode, isLight });

/**
 * A replica whose disk is behind goes on as a follower, and as a voter: without heartbeats it would
 * stand for election, over and over, and each term has more written.
 */
function isLight(message: RaftMessage): boolean {
  switch (message.type) {
    case "append":
      return message.records.length === 0;
    case "propose":
    case "propose-again":
    case "snapshot-chunk":
      return false;
    default:
      return true;
  }
}

function encode(message: RaftMessage, writer: ByteWriter): void {
  switch (message.type) {
    case "is-proposed":
      begin(writer, message);
      return;
    case "propose":
    case "propose-again":
      begin(writer, message);
      writer.raw(bodyOfRecord(message.record));
      return;
    case "read":
      begin(writer, message);
      writer.u8(WAYS.indexOf(message.way));
      writeSeen(writer, message.seen);
      writer.raw(message.key);
      return;
    case "range":
      begin(writer, message);
      writer.u8(WAYS.indexOf(message.way));
      writeOptional(writer, message.from);
      writeOptional(writer, message.to);
      writer.u32(message.limitBytes);
      writer.u32(message.limitEntries);
      return;
    case "propose-reply":
      begin(writer, message);
      writeStandpoint(writer, message);
      writeApplied(writer, message.applied);
      return;
    case "read-reply":
      begin(writer, message);
      writeStandpoint(writer, message);
      writer.u8(WAYS.indexOf(message.way));
      writeOptional(writer, message.record);
      return;
    case "range-reply":
      begin(writer, message);
      writeRangeReply(writer, message);
      return;
    case "refused":
      begin(writer, message);
      writeRefusal(writer, message);
      return;
    case "members":
      begin(writer, message);
      writeWish(writer, message);
      return;
    case "recover":
      begin(writer, message);
      writer.u8(message.isBegun ? 1 : 0);
      return;
    case "members-reply":
      begin(writer, message);
      writeConfiguration(writer, message.configuration);
      return;
    case "pair-heartbeat":
    case "pair-reply":
    case "pair-question":
    case "pair-answer":
    case "pairs-begin":
      encodePairMessage(message, writer);
      return;
    default:
      encodePeerMessage(message, writer);
  }
}

function writeRefusal(writer: ByteWriter, message: RefusedMessage): void {
  writer.u8(REFUSALS.indexOf(message.reason));
  writer.string(message.leader ?? "");
  writeNodes(writer, message.voters);
  writer.u64(message.configurationIndex);
  writer.u32(message.configurationGroup);
}

function begin(writer: ByteWriter, { type, requestId }: ClientMessage): void {
  writer.u8(TYPES[type]);
  writer.u32(requestId);
}

function decode(reader: ByteReader): RaftMessage {
  const type = reader.u8();
  if (type < FIRST_OTHER_MESSAGE) return decodePeerMessage(type, reader);
  if (type >= FIRST_PAIR_MESSAGE) return decodePairMessage(type, reader);
  const message = decodeClientMessage(type, reader.u32(), reader);
  reader.end();
  return message;
}

function decodeClientMessage(type: number, requestId: number, reader: ByteReader): ClientMessage {
  switch (type) {
    case TYPES["is-proposed"]:
      return { type: "is-proposed", requestId };
    case TYPES.propose:
    case TYPES["propose-again"]: {
      const record = proposedRecord(reader.raw(reader.remaining));
      const { type: command } = decodeBody(bodyOfRecord(record));
      // What cannot be applied must never be proposed: it would stop every replica.
      if (command === "sweep") throw new MalformedBytesError("a client's sweep");
      const isFirst = type === TYPES.propose;
      return { type: isFirst ? "propose" : "propose-again", requestId, record };
    }
    case TYPES.read: {
      const way = oneOf(WAYS, reader.u8(), "way to read");
      const seen = readSeen(reader);
      return { type: "read", requestId, way, seen, key: own(reader.raw(reader.remaining)) };
    }
    case TYPES.range:
      return {
        type: "range",
        requestId,
        way: oneOf(WAYS, reader.u8(), "way to read"),
        from: readOptional(reader),
        to: readOptional(reader),
        limitBytes: reader.u32(),
        limitEntries: reader.u32(),
      };
    case TYPES["propose-reply"]: {
      const standpoint = readStandpoint(reader);
      return { type: "propose-reply", requestId, ...standpoint, applied: readApplied(reader) };
    }
    case TYPES["read-reply"]: {
      const standpoint = readStandpoint(reader);
      const way = oneOf(WAYS, reader.u8(), "way to read");
      const record = readOptional(reader);
      if (record !== undefined) checkRecord(record);
      return { type: "read-reply", requestId, ...standpoint, way, record };
    }
    case TYPES["range-reply"]:
      return readRangeReply(reader, requestId);
    case TYPES.refused: {
      const reason = oneOf(REFUSALS, reader.u8(), "refusal");
      const leader = reader.string();
      return {
        type: "refused",
        requestId,
        reason,
        leader: leader === "" ? undefined : (leader as NodeId),
        voters: readNodes(reader),
        configurationIndex: reader.u64(),
        configurationGroup: reader.u32(),
      };
    }
    case TYPES.members:
      return {
        type: "members",
        requestId,
        goal: readNodes(reader),
        base: readBase(reader),
        renews: reader.remaining > 0 && readFlag(reader),
      };
    case TYPES.recover:
      return { type: "recover", requestId, isBegun: readFlag(reader) };
    case TYPES["members-reply"]:
      return { type: "members-reply", requestId, configuration: readConfiguration(reader) };
    default:
      throw new MalformedBytesError(`message type ${type}`);
  }
}

function writeRangeReply(writer: ByteWriter, message: RangeReply): void {
  writeStandpoint(writer, message);
  writer.u8(WAYS.indexOf(message.way));
  writeOptional(writer, message.continueAfter);
  writer.u32(message.entries.length);
  for (const { key, record } of message.entries) {
    writer.bytes(key);
    writer.bytes(record);
  }
}

function readRangeReply(reader: ByteReader, requestId: number): RangeReply {
  const standpoint = readStandpoint(reader);
  const way = oneOf(WAYS, reader.u8(), "way to read");
  const continueAfter = readOptional(reader);
  const count = reader.u32();
  if (count > MAX_RANGE_ENTRIES) throw new MalformedBytesError(`${count} entries of a range`);
  const entries: { key: Uint8Array; record: Uint8Array }[] = [];
  for (let index = 0; index < count; index++) {
    const key = own(reader.bytes());
    const record = own(reader.bytes());
    checkRecord(record);
    entries.push({ key, record });
  }
  return { type: "range-reply", requestId, ...standpoint, way, entries, continueAfter };
}

function writeNodes(writer: ByteWriter, nodes: readonly NodeId[]): void {
  writer.u8(nodes.length);
  for (const node of nodes) writer.string(node);
}

function readNodes(reader: ByteReader): readonly NodeId[] {
  return Array.from({ length: reader.u8() }, () => reader.string() as NodeId);
}

function writeWish(writer: ByteWriter, { goal, base, renews }: MembersMessage): void {
  writeNodes(writer, goal);
  writeBase(writer, base);
  // Questions of before it was said end here.
  if (renews) writer.u8(1);
}

function writeBase(writer: ByteWriter, base: ConfigurationPoint | undefined): void {
  writer.u8(base === undefined ? 0 : 1);
  if (base === undefined) return;
  writer.u32(base.group);
  writer.u64(base.index);
}

function readBase(reader: ByteReader): ConfigurationPoint | undefined {
  return readFlag(reader) ? { group: reader.u32(), index: reader.u64() } : undefined;
}

function writeStandpoint(writer: ByteWriter, standpoint: Standpoint): void {
  writer.u32(standpoint.lifeMark);
  writer.u64(standpoint.appliedIndex);
  writer.u8(standpoint.voters);
}

function readStandpoint(reader: ByteReader): Standpoint {
  return { lifeMark: reader.u32(), appliedIndex: reader.u64(), voters: reader.u8() };
}

function writeSeen(writer: ByteWriter, seen: SeenBefore | undefined): void {
  writer.u8(seen === undefined ? 0 : 1);
  if (seen === undefined) return;
  writer.u32(seen.lifeMark);
  writer.u64(seen.index);
}

function readSeen(reader: ByteReader): SeenBefore | undefined {
  if (!readFlag(reader)) return undefined;
  return { lifeMark: reader.u32(), index: reader.u64() };
}

function writeApplied(writer: ByteWriter, applied: Applied): void {
  switch (applied.type) {
    case "written":
      writer.u8(APPLIED.written);
      writer.u64(applied.revision);
      return;
    case "rejected":
      writer.u8(APPLIED.rejected);
      writer.u8(REASONS.indexOf(applied.reason));
      writer.bytes(applied.key);
      writeOptional(writer, applied.current);
      return;
    case "resolved":
      writer.u8(APPLIED.resolved);
      writer.u8(OUTCOMES.indexOf(applied.outcome));
      return;
    case "swept":
      writer.u8(APPLIED.swept);
      return;
    case "forgotten":
      if (applied.floor !== undefined) {
        writer.u8(APPLIED.forgottenBelow);
        writer.u64(applied.floor);
        return;
      }
      writer.u8(APPLIED.plain);
      writer.u8(PLAIN_OUTCOMES.indexOf(applied.type));
      return;
    default:
      writer.u8(APPLIED.plain);
      writer.u8(PLAIN_OUTCOMES.indexOf(applied.type));
  }
}

function readApplied(reader: ByteReader): Applied {
  const type = reader.u8();
  switch (type) {
    case APPLIED.written:
      return { type: "written", revision: reader.u64() };
    case APPLIED.rejected: {
      const reason = oneOf(REASONS, reader.u8(), "reason of a rejection");
      const key = own(reader.bytes());
      const current = readOptional(reader);
      if (current !== undefined) checkRecord(current);
      return { type: "rejected", reason, key, current };
    }
    case APPLIED.resolved:
      return { type: "resolved", outcome: oneOf(OUTCOMES, reader.u8(), "outcome") };
    case APPLIED.swept:
      return { type: "swept" };
    case APPLIED.forgottenBelow:
      return { type: "forgotten", floor: reader.u64() };
    case APPLIED.plain:
      return { type: oneOf(PLAIN_OUTCOMES, reader.u8(), "outcome of a write") };
    default:
      throw new MalformedBytesError(`outcome type ${type}`);
  }
}

function writeOptional(writer: ByteWriter, bytes: Uint8Array | undefined): void {
  writer.u8(bytes === undefined ? 0 : 1);
  if (bytes !== undefined) writer.bytes(bytes);
}

function readOptional(reader: ByteReader): Uint8Array | undefined {
  return readFlag(reader) ? own(reader.bytes()) : undefined;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new MalformedBytesError(`${flag} in the place of a flag`);
  return flag === 1;
}

function oneOf<Item>(list: readonly Item[], index: number, what: string): Item {
  const item = list[index];
  if (item === undefined) throw new MalformedBytesError(`${what} ${index}`);
  return item;
}

/** Frames are borrowed; what a machine keeps must be its own. Small copies share a slab. */
function own(view: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(view.length);
  copy.set(view);
  return copy;
}
