import type { MessageCodec } from "../../contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../model/bytes.ts";
import { MalformedBytesError } from "../../model/malformed-bytes-error.ts";
import { readVarint, writeVarint } from "../../model/varint.ts";
import type { FeedPage, FeedPosition, KeptChange } from "./change-feed.ts";

/** Asks a node that hosts the shard for what lies behind `from`; it answers when there is any. */
export interface PullMessage {
  readonly type: "pull";
  /** Names the watch at the node that asks. */
  readonly watch: number;
  /** Counts the watch's questions about this shard: the answer repeats it. */
  readonly number: number;
  /** Nothing new is no answer, for a while: the one who asks knows that it has caught up. */
  readonly wait: boolean;
  /** Undefined: from now on. */
  readonly from: FeedPosition | undefined;
  readonly prefix: Uint8Array | undefined;
}

export interface PageMessage {
  readonly type: "page";
  readonly watch: number;
  readonly number: number;
  readonly page: FeedPage;
}

/** The node cannot tell: its replica does not serve, or too many ask. */
export interface RefusalMessage {
  readonly type: "refusal";
  readonly watch: number;
  readonly number: number;
}

export type WatchMessage = PullMessage | PageMessage | RefusalMessage;

const TYPES: readonly WatchMessage["type"][] = Object.freeze(["pull", "page", "refusal"]);
const CHANGES: readonly KeptChange["type"][] = Object.freeze([
  "put",
  "delete",
  "expire",
  "conflict",
]);
const FLAG_VALUE = 1;
const FLAG_SIBLINGS = 2;
const FLAG_VERSION = 4;
const FLAG_MORE = 1;
const FLAG_CAUGHT_UP = 2;

/** Bytes of a decoded message are its own. */
export const watchCodec: MessageCodec<WatchMessage> = Object.freeze({
  encode(message: WatchMessage, writer: ByteWriter): void {
    writer.u8(TYPES.indexOf(message.type));
    writer.u32(message.watch);
    writer.u32(message.number);
    if (message.type === "pull") {
      writer.u8(message.wait ? 1 : 0);
      writePosition(writer, message.from);
      writer.bytes(message.prefix ?? NO_BYTES);
    } else if (message.type === "page") writePage(writer, message.page);
  },

  decode(reader: ByteReader): WatchMessage {
    const type = TYPES[reader.u8()];
    const watch = reader.u32();
    const number = reader.u32();
    const message = decodeBody(type, watch, number, reader);
    reader.end();
    return message;
  },
});

const NO_BYTES: Readonly<Uint8Array> = new Uint8Array(0);

function decodeBody(
  type: WatchMessage["type"] | undefined,
  watch: number,
  number: number,
  reader: ByteReader,
): WatchMessage {
  switch (type) {
    case "pull": {
      const wait = reader.u8() !== 0;
      const from = readPosition(reader);
      const prefix = copyOf(reader.bytes());
      return { type, watch, number, wait, from, prefix: prefix.length === 0 ? undefined : prefix };
    }
    case "page":
      return { type, watch, number, page: readPage(reader) };
    case "refusal":
      return { type, watch, number };
    default:
      throw new MalformedBytesError("no message of a watch");
  }
}

function writePage(writer: ByteWriter, page: FeedPage): void {
  writer.u8((page.more ? FLAG_MORE : 0) | (page.caughtUp ? FLAG_CAUGHT_UP : 0));
  writePosition(writer, page.position);
  writer.string(page.gap ?? "");
  writeVarint(writer, page.events.length);
  for (const event of page.events) writeChange(writer, event);
}

function readPage(reader: ByteReader): FeedPage {
  const flags = reader.u8();
  const position = readPosition(reader);
  if (position === undefined) throw new MalformedBytesError("a page without a position");
  const gap = reader.string();
  const events: KeptChange[] = [];
  for (let left = readVarint(reader); left > 0; left--) events.push(readChange(reader));
  return {
    events,
    position,
    gap: gap === "" ? undefined : gap,
    more: (flags & FLAG_MORE) !== 0,
    caughtUp: (flags & FLAG_CAUGHT_UP) !== 0,
  };
}

function writeChange(writer: ByteWriter, change: KeptChange): void {
  const { value, siblings, version } = change;
  writer.u8(CHANGES.indexOf(change.type));
  writeVarint(writer, change.sequence);
  writeVarint(writer, change.offset);
  writer.u8(
    (value === undefined ? 0 : FLAG_VALUE) |
      (siblings === undefined ? 0 : FLAG_SIBLINGS) |
      (version === undefined ? 0 : FLAG_VERSION),
  );
  writer.bytes(change.key);
  if (value !== undefined) writer.bytes(value);
  if (siblings !== undefined) {
    writeVarint(writer, siblings.length);
    for (const sibling of siblings) writer.bytes(sibling);
  }
  if (version !== undefined) writer.string(version);
}

function readChange(reader: ByteReader): KeptChange {
  const type = CHANGES[reader.u8()];
  if (type === undefined) throw new MalformedBytesError("no type of a change");
  const sequence = readVarint(reader);
  const offset = readVarint(reader);
  const flags = reader.u8();
  const key = copyOf(reader.bytes());
  const value = (flags & FLAG_VALUE) === 0 ? undefined : copyOf(reader.bytes());
  const siblings = (flags & FLAG_SIBLINGS) === 0 ? undefined : readSiblings(reader);
  const version = (flags & FLAG_VERSION) === 0 ? undefined : reader.string();
  return { type, key, value, siblings, version, sequence, offset };
}

function readSiblings(reader: ByteReader): readonly Uint8Array[] {
  const siblings: Uint8Array[] = [];
  for (let left = readVarint(reader); left > 0; left--) siblings.push(copyOf(reader.bytes()));
  return siblings;
}

function writePosition(writer: ByteWriter, position: FeedPosition | undefined): void {
  writer.string(position?.order ?? "");
  if (position === undefined) return;
  writeVarint(writer, position.sequence);
  writeVarint(writer, position.offset + 1);
}

function readPosition(reader: ByteReader): FeedPosition | undefined {
  const order = reader.string();
  if (order === "") return undefined;
  return { order, sequence: readVarint(reader), offset: readVarint(reader) - 1 };
}

/** Frames are borrowed. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
