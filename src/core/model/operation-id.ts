import { ByteReader, ByteWriter } from "./bytes.ts";
import { CapstanError } from "./errors.ts";
import { hash32 } from "./hash.ts";
import { readStamp, type Stamp, writeStamp } from "./stamp.ts";

/**
 * What an operation id of a stamped keyspace says: the stamp *is* the write's identity, so that a
 * retry at any coordinator, after any crash, is the very same write. An id that the store makes
 * for a fault also names the key, so that `resolve` needs nothing else.
 */
export interface StampedOperationId {
  readonly keyspaceHash: number;
  readonly stamp: Stamp;
  readonly key: Uint8Array | undefined;
  /** When what the write has brought is gone, in milliseconds of wall time; undefined: not said. */
  readonly expiresAtMs?: number | undefined;
}

/**
 * What an operation id of a keyspace with sessions says: the write is number `sequence` of a
 * session, and is applied at most once while the session lives. An id that the store makes for a
 * fault also names the shard that the write was sent to.
 */
export interface SessionOperationId {
  readonly keyspaceHash: number;
  readonly session: Stamp;
  readonly sequence: number;
  readonly shardIndex: number | undefined;
}

/** UTF-8 bytes of a key of the user's own, where a strategy takes one in the place of an id. */
export const MAX_OWN_KEY_BYTES = 255;

const STAMPED_FORMAT = 1;
const SESSION_FORMAT = 2;
const NO_SHARD = 0xffff;
const MAX_ID_CHARACTERS = 1_500;
const CHECK_BYTES = 4;
/** An id with a key of usual length fits: then nothing has to grow. */
const USUAL_BYTES = 96;

/** base64url of: format, keyspace hash, stamp, key, expiry (if there is one), and a checksum against damage. */
export function encodeOperationId(id: StampedOperationId): string {
  const writer = new ByteWriter(USUAL_BYTES);
  writer.u8(STAMPED_FORMAT);
  writer.u32(id.keyspaceHash);
  writeStamp(writer, id.stamp);
  writer.bytes(id.key ?? new Uint8Array(0));
  if (id.expiresAtMs !== undefined) writer.u64(id.expiresAtMs);
  return sealed(writer);
}

/** base64url of: format, keyspace hash, session, sequence, shard, and the same checksum. */
export function encodeSessionOperationId(id: SessionOperationId): string {
  const writer = new ByteWriter(USUAL_BYTES);
  writer.u8(SESSION_FORMAT);
  writer.u32(id.keyspaceHash);
  writeStamp(writer, id.session);
  writer.u64(id.sequence);
  writer.u16(id.shardIndex ?? NO_SHARD);
  return sealed(writer);
}

/** Throws `INVALID_OPERATION_ID`; user-made keys are refused, they would name no write. */
export function decodeOperationId(text: string): StampedOperationId {
  const decoded = tryDecode(text, STAMPED_FORMAT, readStamped);
  if (decoded === undefined) {
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `operation id ${JSON.stringify(text.slice(0, 60))} was not made by this store; ` +
        "ask for one with store.operationId(keyspace)",
    );
  }
  return decoded;
}

/** Undefined if the text is not an id of a session: a key of the user's own, or another kind. */
export function decodeSessionOperationId(text: string): SessionOperationId | undefined {
  return tryDecode(text, SESSION_FORMAT, readSession);
}

/** Which keyspace an id belongs to; undefined if it is not an id. */
export function keyspaceHashOfOperationId(text: string): number | undefined {
  const id =
    tryDecode(text, STAMPED_FORMAT, readStamped) ?? tryDecode(text, SESSION_FORMAT, readSession);
  return id?.keyspaceHash;
}

function readStamped(reader: ByteReader): StampedOperationId {
  const keyspaceHash = reader.u32();
  const stamp = readStamp(reader);
  const bytes = reader.bytes();
  const key = bytes.length === 0 ? undefined : new Uint8Array(bytes);
  if (reader.remaining === 0) return { keyspaceHash, stamp, key };
  return { keyspaceHash, stamp, key, expiresAtMs: reader.u64() };
}

function readSession(reader: ByteReader): SessionOperationId {
  const keyspaceHash = reader.u32();
  const session = readStamp(reader);
  const sequence = reader.u64();
  const shardIndex = reader.u16();
  return {
    keyspaceHash,
    session,
    sequence,
    shardIndex: shardIndex === NO_SHARD ? undefined : shardIndex,
  };
}

function sealed(writer: ByteWriter): string {
  writer.u32(hash32(writer.view()));
  return writer.base64url();
}

function tryDecode<Id>(
  text: string,
  format: number,
  read: (reader: ByteReader) => Id,
): Id | undefined {
  if (typeof text !== "string" || text.length > MAX_ID_CHARACTERS) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length <= CHECK_BYTES || bytes.toString("base64url") !== text) return undefined;
  const checked = bytes.subarray(0, bytes.length - CHECK_BYTES);
  try {
    if (hash32(checked) !== bytes.readUInt32BE(checked.length)) return undefined;
    const reader = new ByteReader(checked);
    if (reader.u8() !== format) return undefined;
    const id = read(reader);
    reader.end();
    return id;
  } catch {
    return undefined;
  }
}
