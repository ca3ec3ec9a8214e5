/**
 * What one NATS message holds:
 *
 *     version u8 | kind u8 | sender's link u32 u32 | receiver's link u32 u32 | body
 *
 * - `hello`, `bye`: no body. A receiver's link of 0 0 says that it is not known.
 * - `denial`: denial u8; to a process whose hello was not taken, as another one is connected under its
 *   name.
 * - `acknowledgement`: lane u8 | position u48.
 * - `stream`, `stream-asking` (wants an acknowledgement): position u48 | first frame at u32 | bytes.
 *
 * The frames of one lane to one peer are a stream of bytes, each frame behind its length (u32).
 * A message carries a piece of the stream, says where in the stream it belongs, and where in it
 * the first frame begins: there a receiver goes on that has missed the piece before.
 */
import { DENIALS, type Denial, LANES, type Lane } from "../../core/contracts/transport.ts";

export type MessageKind =
  | "hello"
  | "bye"
  | "acknowledgement"
  | "stream"
  | "stream-asking"
  | "denial";

/** Names one attempt of one process to reach one peer; later ones of a process are greater. */
export interface LinkId {
  /** Drawn when the transport is made. */
  readonly start: number;
  /** From 1. */
  readonly generation: number;
}

/** Mutable, so that every message is read into one object. */
export interface MessageHeader {
  kind: MessageKind;
  sender: LinkId;
  receiver: LinkId;
  denial: Denial;
  lane: Lane;
  position: number;
  /** Within the bytes of the stream; `NO_FRAME` if none begins here. */
  firstFrameAt: number;
}

const VERSION = 1;
const HEADER_BYTES = 18;
const ACKNOWLEDGEMENT_BYTES = HEADER_BYTES + 7;
const DENIAL_BYTES = HEADER_BYTES + 1;
export const STREAM_HEADER_BYTES = HEADER_BYTES + 10;
/** Of a frame's length, before the frame. */
export const PREFIX_BYTES = 4;
export const NO_FRAME = 0xffff_ffff;
export const NO_LINK: LinkId = Object.freeze({ start: 0, generation: 0 });

const KINDS: readonly (MessageKind | undefined)[] = Object.freeze([
  undefined,
  "hello",
  "bye",
  "acknowledgement",
  "stream",
  "stream-asking",
  "denial",
]);
const KIND_STREAM = 4;
const KIND_STREAM_ASKING = 5;
const POSITION_HIGH = 0x1_0000_0000;

export function isSameLink(a: LinkId, b: LinkId | undefined): boolean {
  return b !== undefined && a.generation === b.generation && a.start === b.start;
}

/** Of the same process, and before `b`. */
export function isEarlierLink(a: LinkId, b: LinkId | undefined): boolean {
  return b !== undefined && a.start === b.start && a.generation < b.generation;
}

export function newMessageHeader(): MessageHeader {
  const [lane] = LANES;
  const nothing = { kind: "hello", sender: NO_LINK, receiver: NO_LINK } as const;
  const denial = "identity-taken";
  return { ...nothing, denial, lane: lane as Lane, position: 0, firstFrameAt: NO_FRAME };
}

/** What is wrong with the message; undefined if nothing is, and `into` is filled. */
export function readMessage(message: Uint8Array, into: MessageHeader): string | undefined {
  if (message.length < HEADER_BYTES) return `${message.length} bytes are no message`;
  if (message[0] !== VERSION) return `version ${message[0]}; this node speaks ${VERSION}`;
  const kind = KINDS[message[1] as number];
  if (kind === undefined) return `kind ${message[1]} is unknown`;
  into.kind = kind;
  into.sender = readLink(message, 2);
  into.receiver = readLink(message, 10);
  if (into.sender.generation === 0) return "a message without its sender's link";
  if (kind === "stream" || kind === "stream-asking") return readStreamHeader(message, into);
  const expected = bytesOf(kind);
  if (message.length !== expected) return `${kind} of ${message.length} bytes, not ${expected}`;
  if (kind === "denial") return readDenial(message, into);
  if (kind !== "acknowledgement") return undefined;
  const lane = LANES[message[HEADER_BYTES] as number];
  if (lane === undefined) return `lane ${message[HEADER_BYTES]} is unknown`;
  into.lane = lane;
  into.position = readPosition(message, HEADER_BYTES + 1);
  return undefined;
}

function bytesOf(kind: "hello" | "bye" | "acknowledgement" | "denial"): number {
  if (kind === "acknowledgement") return ACKNOWLEDGEMENT_BYTES;
  return kind === "denial" ? DENIAL_BYTES : HEADER_BYTES;
}

function readDenial(message: Uint8Array, into: MessageHeader): string | undefined {
  const denial = DENIALS[message[HEADER_BYTES] as number];
  if (denial === undefined) return `denial ${message[HEADER_BYTES]} is unknown`;
  into.denial = denial;
  return undefined;
}

export function denialOf(sender: LinkId, receiver: LinkId, denial: Denial): Uint8Array {
  const message = new Uint8Array(DENIAL_BYTES);
  writeHeader(message, 0, KINDS.indexOf("denial"), sender, receiver);
  message[HEADER_BYTES] = DENIALS.indexOf(denial);
  return message;
}

export function greeting(kind: "hello" | "bye", sender: LinkId, receiver: LinkId): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES);
  writeHeader(message, 0, KINDS.indexOf(kind), sender, receiver);
  return message;
}

export function acknowledgement(
  sender: LinkId,
  receiver: LinkId,
  lane: Lane,
  position: number,
): Uint8Array {
  const message = new Uint8Array(ACKNOWLEDGEMENT_BYTES);
  writeHeader(message, 0, KINDS.indexOf("acknowledgement"), sender, receiver);
  message[HEADER_BYTES] = LANES.indexOf(lane);
  writePosition(message, HEADER_BYTES + 1, position);
  return message;
}

/** Into the `STREAM_HEADER_BYTES` at `at`. */
export function writeStreamHeader(
  buffer: Uint8Array,
  at: number,
  sender: LinkId,
  receiver: LinkId,
  piece: {
    readonly asking: boolean;
    readonly position: number;
    readonly firstFrameAt: number;
  },
): void {
  writeHeader(buffer, at, piece.asking ? KIND_STREAM_ASKING : KIND_STREAM, sender, receiver);
  writePosition(buffer, at + HEADER_BYTES, piece.position);
  writeU32(buffer, at + HEADER_BYTES + 6, piece.firstFrameAt);
}

export function writeU32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

export function readU32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [
    number,
    number,
    number,
    number,
  ];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function readStreamHeader(message: Uint8Array, into: MessageHeader): string | undefined {
  const length = message.length - STREAM_HEADER_BYTES;
  if (length < 0) return `a piece of a stream in ${message.length} bytes`;
  into.position = readPosition(message, HEADER_BYTES);
  into.firstFrameAt = readU32(message, HEADER_BYTES + 6);
  if (into.firstFrameAt === NO_FRAME || into.firstFrameAt < length) return undefined;
  return `a frame begins at ${into.firstFrameAt} of ${length} bytes`;
}

function writeHeader(
  buffer: Uint8Array,
  at: number,
  kind: number,
  sender: LinkId,
  receiver: LinkId,
): void {
  buffer[at] = VERSION;
  buffer[at + 1] = kind;
  writeU32(buffer, at + 2, sender.start);
  writeU32(buffer, at + 6, sender.generation);
  writeU32(buffer, at + 10, receiver.start);
  writeU32(buffer, at + 14, receiver.generation);
}

function readLink(message: Uint8Array, at: number): LinkId {
  return { start: readU32(message, at), generation: readU32(message, at + 4) };
}

function writePosition(buffer: Uint8Array, at: number, position: number): void {
  const high = Math.floor(position / POSITION_HIGH);
  buffer[at] = high >>> 8;
  buffer[at + 1] = high;
  writeU32(buffer, at + 2, position >>> 0);
}

function readPosition(message: Uint8Array, at: number): number {
  const high = ((message[at] as number) << 8) | (message[at + 1] as number);
  return high * POSITION_HIGH + readU32(message, at + 2);
}
