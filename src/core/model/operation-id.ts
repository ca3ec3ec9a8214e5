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
}

const FORMAT = 1;
const MAX_ID_CHARACTERS = 1_500;
const CHECK_BYTES = 4;

/** base64url of: format, keyspace hash, stamp, key, and a checksum against damage. */
export function encodeOperationId(id: StampedOperationId): string {
  const writer = new ByteWriter();
  writer.u8(FORMAT);
  writer.u32(id.keyspaceHash);
  writeStamp(writer, id.stamp);
  writer.bytes(id.key ?? new Uint8Array(0));
  writer.u32(hash32(writer.view()));
  return Buffer.from(writer.view()).toString("base64url");
}

/** Throws `INVALID_OPERATION_ID`; user-made keys are refused, they would name no write. */
export function decodeOperationId(text: string): StampedOperationId {
  const decoded = tryDecode(text);
  if (decoded === undefined) {
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `operation id ${JSON.stringify(text.slice(0, 60))} was not made by this store; ` +
        "ask for one with store.operationId(keyspace)",
    );
  }
  return decoded;
}

/** Which keyspace an id belongs to; undefined if it is not an id. */
export function keyspaceHashOfOperationId(text: string): number | undefined {
  return tryDecode(text)?.keyspaceHash;
}

function tryDecode(text: string): StampedOperationId | undefined {
  if (typeof text !== "string" || text.length > MAX_ID_CHARACTERS) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length <= CHECK_BYTES || bytes.toString("base64url") !== text) return undefined;
  const checked = bytes.subarray(0, bytes.length - CHECK_BYTES);
  try {
    if (hash32(checked) !== bytes.readUInt32BE(checked.length)) return undefined;
    const reader = new ByteReader(checked);
    if (reader.u8() !== FORMAT) return undefined;
    const keyspaceHash = reader.u32();
    const stamp = readStamp(reader);
    const key = reader.bytes();
    reader.end();
    return { keyspaceHash, stamp, key: key.length === 0 ? undefined : new Uint8Array(key) };
  } catch {
    return undefined;
  }
}
