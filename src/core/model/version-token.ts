import { ByteReader } from "./bytes.ts";
import { readStamp, STAMP_BYTES, type Stamp } from "./stamp.ts";

/** Marks the tokens of stamped (last-writer-wins) versions; other strategies use other letters. */
const STAMP_MARK = "t";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The opaque `version` of a stamped version: a mark and 22 characters of base64url. */
export function versionTokenOf(stamp: Stamp): string {
  const timeHigh = Math.floor(stamp.time / 4_294_967_296);
  const timeLow = stamp.time - timeHigh * 4_294_967_296;
  return STAMP_MARK + base64urlOf(timeHigh, timeLow, stamp.actorHigh, stamp.actorLow);
}

/**
 * base64url of four words, without a buffer: every result carries a version, and making a buffer
 * for each costs more than the text.
 */
export function base64urlOf(a: number, b: number, c: number, d: number): string {
  return String.fromCharCode(
    sextet(a >>> 26),
    sextet(a >>> 20),
    sextet(a >>> 14),
    sextet(a >>> 8),
    sextet(a >>> 2),
    sextet((a << 4) | (b >>> 28)),
    sextet(b >>> 22),
    sextet(b >>> 16),
    sextet(b >>> 10),
    sextet(b >>> 4),
    sextet((b << 2) | (c >>> 30)),
    sextet(c >>> 24),
    sextet(c >>> 18),
    sextet(c >>> 12),
    sextet(c >>> 6),
    sextet(c),
    sextet(d >>> 26),
    sextet(d >>> 20),
    sextet(d >>> 14),
    sextet(d >>> 8),
    sextet(d >>> 2),
    sextet(d << 4),
  );
}

function sextet(bits: number): number {
  return ALPHABET.charCodeAt(bits & 63);
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
