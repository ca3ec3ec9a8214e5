import { typeNameOf } from "./call-arguments.ts";
import { CapstanError } from "./errors.ts";
import { decodeUtf8, isWellFormed } from "./utf8.ts";

/** Bounds of a key, in bytes of its UTF-8 form. */
const MIN_KEY_BYTES = 1;
export const MAX_KEY_BYTES = 1024;

const MAX_ASCII = 0x7f;
const MAX_SHOWN_CHARACTERS = 40;
const UTF8_ENCODER = new TextEncoder();

/**
 * UTF-8 bytes of a key, 1–1,024 of them. Nothing is normalised: the composed and the decomposed
 * form of one letter are two keys, and `.`, `..` and `__proto__` are keys like any other.
 *
 * @throws CapstanError `INVALID_KEY`.
 */
export function encodeKey(key: string): Uint8Array {
  if (typeof key !== "string") {
    throw new CapstanError("INVALID_KEY", `a key has to be a string, not ${typeNameOf(key)}`);
  }
  const length = key.length;
  // A character has at least one byte: what is longer here is refused before it is encoded.
  if (length < MIN_KEY_BYTES || length > MAX_KEY_BYTES) throw keyLength(key, length);
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    const code = key.charCodeAt(index);
    if (code > MAX_ASCII) return encodeWide(key);
    bytes[index] = code;
  }
  return bytes;
}

/**
 * The key again. Bytes come from peers and disks, so they are checked.
 *
 * @throws MalformedBytesError if the bytes are not well-formed UTF-8.
 */
export function decodeKey(bytes: Uint8Array): string {
  return decodeUtf8(bytes, 0, bytes.length);
}

/**
 * Exclusive upper bound of the keys that begin with `prefix`: `undefined` where there is none
 * (an empty prefix, or 0xff alone).
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let last = prefix.length - 1;
  while (last >= 0 && prefix[last] === 0xff) last--;
  if (last < 0) return undefined;
  const end = prefix.slice(0, last + 1);
  end[last] = (end[last] as number) + 1;
  return end;
}

/** The least key above `key`: `key` and a zero byte. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** Order of keys everywhere: byte by byte, unsigned; a prefix comes before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let index = 0; index < common; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

function encodeWide(key: string): Uint8Array {
  if (!isWellFormed(key)) {
    throw new CapstanError(
      "INVALID_KEY",
      `the key ${shown(key)} holds half a surrogate pair, which has no UTF-8 form`,
    );
  }
  const bytes = UTF8_ENCODER.encode(key);
  if (bytes.length > MAX_KEY_BYTES) throw keyLength(key, bytes.length);
  return bytes;
}

function keyLength(key: string, length: number): CapstanError {
  const what = length === 0 ? "the key is empty" : `the key ${shown(key)} has ${length} bytes`;
  return new CapstanError(
    "INVALID_KEY",
    `${what}; ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes of UTF-8 are allowed`,
    { details: { bytes: length, minBytes: MIN_KEY_BYTES, maxBytes: MAX_KEY_BYTES } },
  );
}

function shown(key: string): string {
  return key.length <= MAX_SHOWN_CHARACTERS
    ? JSON.stringify(key)
    : `${JSON.stringify(key.slice(0, MAX_SHOWN_CHARACTERS))}…`;
}
