import { ByteReader, type ByteWriter } from "../../core/model/bytes.ts";
import { MAX_KEY_BYTES } from "../../core/model/keys.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { MAX_OWN_KEY_BYTES } from "../../core/model/operation-id.ts";
import { readStamp, type Stamp, writeStamp } from "../../core/model/stamp.ts";
import { ENTRY_HEADER_BYTES } from "./entry.ts";
import { writeU32, writeU64 } from "./record.ts";

/**
 * The payload of a log entry: a **header** that the leader makes and a **body** that the coordinator
 * encoded once; the same bytes go to the log and to the followers.
 *
 * Everything that could differ from node to node is in the entry: the leader's clock, from which
 * expiry follows, and the lifetime of sessions. Applying is a function of the state and the entry.
 */
export interface CommandHeader {
  /** Wall time of the leader when it proposed. */
  readonly clockMs: number;
  /** Drawn by the leader; the first one applied becomes the salt of the shard's version tokens. */
  readonly salt: number;
  /** How long a session, or a user's own key, is remembered behind its last use. */
  readonly sessionLifetimeMs: number;
}

/** Under which name a write is applied at most once. */
export type Identity =
  | { readonly type: "session"; readonly session: Stamp; readonly sequence: number }
  /** A key of the user's own making. */
  | { readonly type: "own-key"; readonly key: string };

export type Condition =
  | { readonly type: "absent" }
  | { readonly type: "revision"; readonly lifeMark: number; readonly revision: number };

export type WriteAction =
  | {
      readonly type: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** From the entry's clock on; 0: never expires. */
      readonly ttlMs: number;
      readonly condition: Condition | undefined;
    }
  | {
      readonly type: "delete";
      readonly key: Uint8Array;
      readonly condition: Condition | undefined;
    };

export type CommandBody =
  /** One write, or a batch: all of them or none. */
  | {
      readonly type: "write";
      readonly identity: Identity | undefined;
      readonly actions: readonly WriteAction[];
      /** Where in the source the bytes behind the identity begin: equal for equal writes. */
      readonly contentFrom: number;
    }
  /** Settles an earlier write for good: what was not applied by now never will be. */
  | { readonly type: "resolve"; readonly session: Stamp; readonly sequence: number }
  /**
   * Removes what is due. The leader names it; applying checks each again, because it may have
   * changed since. Empty: only moves the clock on.
   */
  | {
      readonly type: "sweep";
      readonly keys: readonly { readonly key: Uint8Array; readonly expiresAtMs: number }[];
      readonly sessions: readonly Stamp[];
      readonly slots: readonly { readonly session: Stamp; readonly slot: number }[];
      readonly ownKeys: readonly string[];
    };

export interface Command {
  readonly header: CommandHeader;
  readonly body: CommandBody;
}

/** See `behindAllKeys`. */
const OWN_ROWS = 0xff;
const FORMAT = 1;
const HEADER_BYTES = 17;
/** In front of a body: the headers of the entry and of the command. */
export const RECORD_HEAD_BYTES = ENTRY_HEADER_BYTES + HEADER_BYTES;
const BODY_TYPES = Object.freeze({ write: 1, resolve: 2, sweep: 3 });
const IDENTITY_TYPES = Object.freeze({ none: 0, session: 1, "own-key": 2 });
const PUT = 1;
const DELETE = 2;
const HAS_TTL = 4;
const IF_ABSENT = 8;
const IF_REVISION = 16;
const KNOWN_FLAGS = PUT | DELETE | HAS_TTL | IF_ABSENT | IF_REVISION;
/** Members of a batch; also the bound of each list of a sweep. */
export const MAX_ACTIONS = 4_096;
/** Of a body: the frames that carry it hold 16 MiB, with what stands around it. */
const MAX_BODY_BYTES = 16 * 1024 * 1024 - 4_096;

/**
 * How large a body may be where the log takes records of so many bytes. What the log cannot take has
 * to be refused before it is proposed: met in a step it stops the node, and the next leader after it.
 */
export function mostBodyBytes(maxRecordBytes = Number.POSITIVE_INFINITY): number {
  return Math.min(MAX_BODY_BYTES, maxRecordBytes - RECORD_HEAD_BYTES);
}

/**
 * A body with room in front for what the leader adds, which is nothing yet: it becomes the log's
 * record without another copy.
 */
export function proposedRecord(body: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + body.length);
  record.fill(0, 0, RECORD_HEAD_BYTES);
  record.set(body, RECORD_HEAD_BYTES);
  return record;
}

/** A view of what the coordinator has made of a record. */
export function bodyOfRecord(record: Uint8Array): Uint8Array {
  return record.subarray(RECORD_HEAD_BYTES);
}

/** Fills in the command's header; the room in front of it stays for the header of the entry. */
export function headCommand(record: Uint8Array, header: CommandHeader): void {
  const at = ENTRY_HEADER_BYTES;
  record[at] = FORMAT;
  writeU64(record, header.clockMs, at + 1);
  writeU32(record, header.salt, at + 9);
  writeU32(record, header.sessionLifetimeMs, at + 13);
}

/** A log record of this command, with room in front for the header of the entry. */
export function makeCommandRecord(header: CommandHeader, body: Uint8Array): Uint8Array {
  const record = proposedRecord(body);
  headCommand(record, header);
  return record;
}

/** Throws `MalformedBytesError`. Keys and values are views of the payload, which begins at `from`. */
export function decodeCommand(source: Uint8Array, from = 0): Command {
  const reader = new ByteReader();
  reader.reset(source, from);
  const format = reader.u8();
  if (format !== FORMAT) throw new MalformedBytesError(`command format ${format}`);
  const clockMs = reader.u64();
  const salt = reader.u32();
  const sessionLifetimeMs = reader.u32();
  const header = { clockMs, salt, sessionLifetimeMs };
  return { header, body: readBody(reader) };
}

/** Throws `MalformedBytesError` if these bytes are no body. */
export function decodeBody(body: Uint8Array): CommandBody {
  return readBody(new ByteReader(body));
}

export function writeBody(writer: ByteWriter, body: CommandBody): void {
  writer.u8(BODY_TYPES[body.type]);
  switch (body.type) {
    case "write":
      writeIdentity(writer, body.identity);
      writeActions(writer, body.actions);
      return;
    case "resolve":
      writeStamp(writer, body.session);
      writer.u64(body.sequence);
      return;
    case "sweep":
      writeSweep(writer, body);
  }
}

/** The body of a write, without the object that `writeBody` takes. */
export function writeWriteBody(
  writer: ByteWriter,
  identity: Identity | undefined,
  actions: readonly WriteAction[],
): void {
  writer.u8(BODY_TYPES.write);
  writeIdentity(writer, identity);
  writeActions(writer, actions);
}

function writeIdentity(writer: ByteWriter, identity: Identity | undefined): void {
  if (identity === undefined) {
    writer.u8(IDENTITY_TYPES.none);
    return;
  }
  writer.u8(IDENTITY_TYPES[identity.type]);
  if (identity.type === "session") {
    writeStamp(writer, identity.session);
    writer.u64(identity.sequence);
  } else {
    writer.string(identity.key);
  }
}

function writeActions(writer: ByteWriter, actions: readonly WriteAction[]): void {
  writer.u16(actions.length);
  for (const action of actions) writeAction(writer, action);
}

function writeAction(writer: ByteWriter, action: WriteAction): void {
  const { condition, key } = action;
  const ttlMs = action.type === "put" ? action.ttlMs : 0;
  let flags = action.type === "put" ? PUT : DELETE;
  if (ttlMs !== 0) flags |= HAS_TTL;
  if (condition !== undefined) flags |= condition.type === "absent" ? IF_ABSENT : IF_REVISION;
  writer.u8(flags);
  writer.u16(key.length);
  writer.raw(key);
  if (ttlMs !== 0) writer.u64(ttlMs);
  if (condition?.type === "revision") {
    writer.u32(condition.lifeMark);
    writer.u64(condition.revision);
  }
  if (action.type === "put") writer.bytes(action.value);
}

function writeSweep(writer: ByteWriter, body: Extract<CommandBody, { type: "sweep" }>): void {
  writer.u16(body.keys.length);
  for (const { key, expiresAtMs } of body.keys) {
    writer.u16(key.length);
    writer.raw(key);
    writer.u64(expiresAtMs);
  }
  writer.u16(body.sessions.length);
  for (const session of body.sessions) writeStamp(writer, session);
  writer.u16(body.slots.length);
  for (const { session, slot } of body.slots) {
    writeStamp(writer, session);
    writer.u16(slot);
  }
  writer.u16(body.ownKeys.length);
  for (const key of body.ownKeys) writer.string(key);
}

function readBody(reader: ByteReader): CommandBody {
  const type = reader.u8();
  switch (type) {
    case BODY_TYPES.write: {
      const identity = readIdentity(reader);
      const contentFrom = reader.offset;
      const actions = readList(reader, readAction);
      if (actions.length === 0) throw new MalformedBytesError("a write without actions");
      reader.end();
      return { type: "write", identity, actions, contentFrom };
    }
    case BODY_TYPES.resolve: {
      const session = readStamp(reader);
      const sequence = reader.u64();
      reader.end();
      return { type: "resolve", session, sequence };
    }
    case BODY_TYPES.sweep: {
      const keys = readList(reader, readDueKey);
      const sessions = readList(reader, readStamp);
      const slots = readList(reader, readSlot);
      const ownKeys = readList(reader, (from) => from.string(MAX_OWN_KEY_BYTES));
      reader.end();
      return { type: "sweep", keys, sessions, slots, ownKeys };
    }
    default:
      throw new MalformedBytesError(`command type ${type}`);
  }
}

function readIdentity(reader: ByteReader): Identity | undefined {
  const type = reader.u8();
  switch (type) {
    case IDENTITY_TYPES.none:
      return undefined;
    case IDENTITY_TYPES.session: {
      const session = readStamp(reader);
      return { type: "session", session, sequence: reader.u64() };
    }
    case IDENTITY_TYPES["own-key"]: {
      const key = reader.string(MAX_OWN_KEY_BYTES);
      if (key === "") throw new MalformedBytesError("an empty key of the user's own");
      return { type: "own-key", key };
    }
    default:
      throw new MalformedBytesError(`identity type ${type}`);
  }
}

function readAction(reader: ByteReader): WriteAction {
  const flags = reader.u8();
  const isPut = (flags & PUT) !== 0;
  if ((flags & ~KNOWN_FLAGS) !== 0 || isPut === ((flags & DELETE) !== 0)) {
    throw new MalformedBytesError(`flags ${flags} of a write`);
  }
  const key = readKey(reader);
  const ttlMs = (flags & HAS_TTL) === 0 ? 0 : reader.u64();
  if (!isPut && ttlMs !== 0) throw new MalformedBytesError("a delete that expires");
  const condition = readCondition(reader, flags);
  if (!isPut) return { type: "delete", key, condition };
  return { type: "put", key, ttlMs, condition, value: reader.bytes() };
}

function readCondition(reader: ByteReader, flags: number): Condition | undefined {
  const isAbsent = (flags & IF_ABSENT) !== 0;
  const isRevision = (flags & IF_REVISION) !== 0;
  if (isAbsent && isRevision) throw new MalformedBytesError("two conditions of one write");
  if (isAbsent) return { type: "absent" };
  if (!isRevision) return undefined;
  const lifeMark = reader.u32();
  return { type: "revision", lifeMark, revision: reader.u64() };
}

function readDueKey(reader: ByteReader): { key: Uint8Array; expiresAtMs: number } {
  const key = readKey(reader);
  return { key, expiresAtMs: reader.u64() };
}

function readSlot(reader: ByteReader): { session: Stamp; slot: number } {
  const session = readStamp(reader);
  return { session, slot: reader.u16() };
}

function readKey(reader: ByteReader): Uint8Array {
  const length = reader.u16();
  if (length === 0 || length > MAX_KEY_BYTES) {
    throw new MalformedBytesError(`a key of ${length} bytes in a command`);
  }
  const key = reader.raw(length);
  // A row of the replica's own, which no client can name: written over, it would stop all of them.
  if (key[0] === OWN_ROWS) throw new MalformedBytesError("a row of the replica's own as a key");
  return key;
}

function readList<Item>(reader: ByteReader, read: (reader: ByteReader) => Item): Item[] {
  const count = reader.u16();
  if (count > MAX_ACTIONS) {
    throw new MalformedBytesError(
      `${count} items in a command; at most ${MAX_ACTIONS} are allowed`,
    );
  }
  if (count === 1) return [read(reader)];
  const items: Item[] = [];
  for (let index = 0; index < count; index++) items.push(read(reader));
  return items;
}
