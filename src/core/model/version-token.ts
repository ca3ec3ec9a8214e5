import { ByteReader } from "./bytes.ts";
import { readStamp, STAMP_BYTES, type Stamp } from "./stamp.ts";

/** Marks the tokens of stamped (last-writer-wins) versions; other strategies use other letters. */
const STAMP_MARK = "t";

/** The opaque `version` of a stamped version: a mark and 22 characters of base64url. */
export function versionTokenOf(stamp: Stamp): string {
  const bytes = Buffer.allocUnsafe(STAMP_BYTES);
  const timeHigh = Math.floor(stamp.time / 4_294_967_296);
  bytes.writeUInt32BE(timeHigh, 0);
  bytes.writeUInt32BE(stamp.time - timeHigh * 4_294_967_296, 4);
  bytes.writeUInt32BE(stamp.actorHigh, 8);
  bytes.writeUInt32BE(stamp.actorLow, 12);
  return STAMP_MARK + bytes.toString("base64url");
}

/** The stamp that a token names; undefined if it is not a token of this kind. */
export function stampOfVersionToken(token: string): Stamp | undefined {
  if (token.length !== 23 || !token.startsWith(STAMP_MARK)) return undefined;
  const bytes = Buffer.from(token.slice(1), "base64url");
  if (bytes.length !== STAMP_BYTES) return undefined;
  return stampFromBytes(bytes);
}

function stampFromBytes(bytes: Uint8Array): Stamp | undefined {
  try {
    return readStamp(new ByteReader(bytes));
  } catch {
    return undefined;
  }
}
