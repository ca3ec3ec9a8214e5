/**
 * What travels between two nodes, below the messages of the strategies. A frame is
 *
 *     version u8 | kind u8 | cluster tag u32 | sender's session u32 | receiver's session u32 |
 *     sequence u32 | body
 *
 * and the body of a `messages` frame is one or more of
 *
 *     role u8 | keyspace hash u32 | shard index u16 | length u32 | bytes
 *
 * A session is one life of one process. On a lossy broker a frame may arrive minutes late, when
 * either end has restarted since: it names both sessions, so that it is known for what it is. The
 * sequence counts the `messages` frames of one lane within the sender's life, so that a doubled one
 * is known too. A hello has a sequence of its own; here it repeats that of the newest hello that its
 * sender has heard of the receiver's session, 0 if none, which tells when the sender was alive.
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { hashText } from "./hash.ts";
import { MalformedBytesError } from "./malformed-bytes-error.ts";

export const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 18;
const SEQUENCE_AT = FRAME_HEADER_BYTES - 4;
export const MESSAGE_HEADER_BYTES = 11;

export type FrameKind = "hello" | "messages";

/** Mutable, so that a receive loop can read every header into one object. */
export interface FrameHeader {
  kind: FrameKind;
  clusterTag: number;
  senderTag: number;
  /** 0 if the sender has not heard of the receiver's session yet; only in a hello. */
  receiverTag: number;
  sequence: number;
}

/**
 * Who a message can be for: the machines of a shard or a keyspace, or those who tell each other of
 * a shard's changes.
 */
export type MessageRole = "replica" | "coordinator" | "watch";

/** Likewise: where one message goes. */
export interface MessageHeader {
  role: MessageRole;
  keyspaceHash: number;
  shardIndex: number;
}

const KIND_HELLO = 1;
const KIND_MESSAGES = 2;
const ROLE_REPLICA = 0;
const ROLE_COORDINATOR = 1;
const ROLE_WATCH = 2;
const ROLES: readonly MessageRole[] = Object.freeze(["replica", "coordinator", "watch"]);

/** Keeps two clusters on one network apart before anything else of a frame is looked at. */
export function clusterTagOf(clusterName: string): number {
  return hashText(clusterName);
}

export function newFrameHeader(): FrameHeader {
  return { kind: "hello", clusterTag: 0, senderTag: 0, receiverTag: 0, sequence: 0 };
}

export function newMessageHeader(): MessageHeader {
  return { role: "replica", keyspaceHash: 0, shardIndex: 0 };
}

/** Leaves the sequence at 0: `patchFrameSequence` when the frame is handed over. */
export function writeFrameHeader(
  writer: ByteWriter,
  kind: FrameKind,
  clusterTag: number,
  senderTag: number,
  receiverTag: number,
): void {
  writer.u8(FRAME_VERSION);
  writer.u8(kind === "hello" ? KIND_HELLO : KIND_MESSAGES);
  writer.u32(clusterTag);
  writer.u32(senderTag);
  writer.u32(receiverTag);
  writer.u32(0);
}

/** Of the frame that begins where the writer does. */
export function patchFrameSequence(writer: ByteWriter, sequence: number): void {
  writer.patchU32(SEQUENCE_AT, sequence);
}

/** Throws `MalformedBytesError`; `into` is then undefined in its content. */
export function readFrameHeader(reader: ByteReader, into: FrameHeader): void {
  const version = reader.u8();
  if (version !== FRAME_VERSION) {
    throw new MalformedBytesError(`frame version ${version}; this node speaks ${FRAME_VERSION}`);
  }
  const kind = reader.u8();
  if (kind !== KIND_HELLO && kind !== KIND_MESSAGES) {
    throw new MalformedBytesError(`frame kind ${kind} is none of ${KIND_HELLO}, ${KIND_MESSAGES}`);
  }
  into.kind = kind === KIND_HELLO ? "hello" : "messages";
  into.clusterTag = reader.u32();
  into.senderTag = reader.u32();
  into.receiverTag = reader.u32();
  into.sequence = reader.u32();
  if (into.senderTag === 0) throw new MalformedBytesError("a frame without its sender's session");
}

/** Leaves the length at 0: `patchMessageLength` once the bytes are written. */
export function writeMessageHeader(
  writer: ByteWriter,
  role: MessageRole,
  keyspaceHash: number,
  shardIndex: number,
): void {
  writer.u8(
    role === "replica" ? ROLE_REPLICA : role === "coordinator" ? ROLE_COORDINATOR : ROLE_WATCH,
  );
  writer.u32(keyspaceHash);
  writer.u16(shardIndex);
  writer.u32(0);
}

/** The message's header starts at `start`, and its bytes end where the writer stands. */
export function patchMessageLength(writer: ByteWriter, start: number): void {
  writer.patchU32(start + MESSAGE_HEADER_BYTES - 4, writer.length - start - MESSAGE_HEADER_BYTES);
}

/** Answers the length of the bytes that follow. Throws `MalformedBytesError`. */
export function readMessageHeader(reader: ByteReader, into: MessageHeader): number {
  const role = reader.u8();
  if (role > ROLE_WATCH) throw new MalformedBytesError(`message for role ${role}`);
  into.role = ROLES[role] as MessageRole;
  into.keyspaceHash = reader.u32();
  into.shardIndex = reader.u16();
  const length = reader.u32();
  if (length > reader.remaining) {
    throw new MalformedBytesError(`message of ${length} bytes, ${reader.remaining} left`);
  }
  return length;
}

/**
 * Walks over all messages of a frame, so that either each of them is delivered or none. The
 * reader stands behind the frame's header; it is left at the end.
 */
export function checkMessages(
  reader: ByteReader,
  frame: Uint8Array,
  scratch: MessageHeader = newMessageHeader(),
): void {
  if (reader.remaining === 0) throw new MalformedBytesError("a frame without any message");
  while (reader.remaining > 0) {
    const length = readMessageHeader(reader, scratch);
    reader.reset(frame, reader.offset + length, frame.length);
  }
}
