import { ByteReader, ByteWriter } from "../model/bytes.ts";
import { CapstanError } from "../model/errors.ts";
import { hash32 } from "../model/hash.ts";
import { MAX_KEY_BYTES } from "../model/keys.ts";

const FORMAT = 1;
/** Format, keyspace hash, the key's length and the check. */
const OVERHEAD_BYTES = 1 + 4 + 4 + 4;
const MAX_CURSOR_CHARACTERS = Math.ceil(((MAX_KEY_BYTES + OVERHEAD_BYTES) * 4) / 3);

/** Opaque to callers: which keyspace, and the last key that was seen. */
export function encodeScanCursor(keyspaceHash: number, lastKey: Uint8Array): string {
  const writer = new ByteWriter();
  writer.u8(FORMAT);
  writer.u32(keyspaceHash);
  writer.bytes(lastKey);
  writer.u32(hash32(writer.view()));
  return Buffer.from(writer.view()).toString("base64url");
}

/** The last key that was seen. Throws `INVALID_CURSOR`. */
export function decodeScanCursor(keyspaceHash: number, cursor: string): Uint8Array {
  const lastKey = tryDecode(keyspaceHash, cursor);
  if (lastKey !== undefined) return lastKey;
  throw new CapstanError(
    "INVALID_CURSOR",
    `the cursor ${JSON.stringify(cursor.slice(0, 60))} was not made by this keyspace, or is damaged`,
  );
}

function tryDecode(keyspaceHash: number, cursor: string): Uint8Array | undefined {
  if (cursor.length > MAX_CURSOR_CHARACTERS) return undefined;
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.toString("base64url") !== cursor) return undefined;
  try {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== FORMAT || reader.u32() !== keyspaceHash) return undefined;
    const key = new Uint8Array(reader.bytes());
    const check = reader.u32();
    reader.end();
    return check === hash32(bytes.subarray(0, bytes.length - 4)) ? key : undefined;
  } catch {
    return undefined;
  }
}
