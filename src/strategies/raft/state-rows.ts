import { STAMP_BYTES, type Stamp } from "../../core/model/stamp.ts";
import { readU32, readU64, writeU32, writeU64 } from "./record.ts";

/**
 * Where in a shard's `data` the rows of the state machine lie. A client's key is UTF-8, in which no
 * byte is 0xff: what begins with one is ours, and lies behind all keys. All of it is replicated
 * state: a snapshot is simply everything in `data`.
 */
export function behindAllKeys(): Uint8Array {
  return Uint8Array.of(0xff);
}

const BOOKS = 0x62;
const CONFIGURATION = 0x63;
const EXPIRY = 0x65;
const OWN_KEY = 0x6f;
const OWN_KEY_EXPIRY = 0x70;
const SESSION = 0x73;
const SLOT = 0x77;
const CHUNK = 0x78;
const HEAD_BYTES = 2;
const TIME_BYTES = 8;

/** The key of what the state says of itself: see `Books`. */
export function booksKey(): Uint8Array {
  return row(BOOKS, 0);
}

/** The key of the configuration in force where the state stands. */
export function configurationKey(): Uint8Array {
  return row(CONFIGURATION, 0);
}

/** Of a key that expires: in the order of time, then of the keys. */
export function expiryKey(expiresAtMs: number, key: Uint8Array): Uint8Array {
  return timedRow(EXPIRY, expiresAtMs, key);
}

/** All keys that expire at or before `clockMs`; all there are if it is left out. */
export function expiryRange(clockMs?: number): { from: Uint8Array; to: Uint8Array } {
  return timedRange(EXPIRY, clockMs);
}

export function dueOfRow(key: Uint8Array): { expiresAtMs: number; key: Uint8Array } {
  return {
    expiresAtMs: readU64(key, HEAD_BYTES),
    key: key.subarray(HEAD_BYTES + TIME_BYTES),
  };
}

export function ownKeyRow(ownKey: string): Uint8Array {
  const text = Buffer.from(ownKey, "utf8");
  const key = row(OWN_KEY, text.length);
  key.set(text, HEAD_BYTES);
  return key;
}

export function ownKeyExpiryKey(expiresAtMs: number, ownKey: string): Uint8Array {
  return timedRow(OWN_KEY_EXPIRY, expiresAtMs, Buffer.from(ownKey, "utf8"));
}

/** Of a row that `ownKeyExpiryRange` has. */
export function ownKeyOfRow(key: Uint8Array): string {
  const text = key.subarray(HEAD_BYTES + TIME_BYTES);
  return Buffer.from(text.buffer, text.byteOffset, text.length).toString("utf8");
}

export function ownKeyExpiryRange(clockMs?: number): { from: Uint8Array; to: Uint8Array } {
  return timedRange(OWN_KEY_EXPIRY, clockMs);
}

export function sessionKey(session: Stamp): Uint8Array {
  const key = row(SESSION, STAMP_BYTES);
  putStamp(key, session, HEAD_BYTES);
  return key;
}

export function sessionRange(): { from: Uint8Array; to: Uint8Array } {
  return { from: row(SESSION, 0), to: row(SESSION + 1, 0) };
}

/** Of neighbouring slots of a session; there are less than 256 chunks of them. */
export function chunkKey(session: Stamp, number: number): Uint8Array {
  const key = row(CHUNK, STAMP_BYTES + 1);
  putStamp(key, session, HEAD_BYTES);
  key[HEAD_BYTES + STAMP_BYTES] = number;
  return key;
}

export function chunkRange(session: Stamp): { from: Uint8Array; to: Uint8Array } {
  const to = row(CHUNK, STAMP_BYTES + 2);
  to.set(chunkKey(session, 0xff), 0);
  to[HEAD_BYTES + STAMP_BYTES + 1] = 0;
  return { from: chunkKey(session, 0), to };
}

/** Of a slot by itself: builds before chunks have written such rows. */
export function slotKey(session: Stamp, slot: number): Uint8Array {
  const key = row(SLOT, STAMP_BYTES + 2);
  putStamp(key, session, HEAD_BYTES);
  key[HEAD_BYTES + STAMP_BYTES] = slot >>> 8;
  key[HEAD_BYTES + STAMP_BYTES + 1] = slot & 0xff;
  return key;
}

export function slotRange(session: Stamp): { from: Uint8Array; to: Uint8Array } {
  const to = Buffer.alloc(HEAD_BYTES + STAMP_BYTES + 3, 0xff);
  to.set(slotKey(session, 0xffff), 0);
  return { from: slotKey(session, 0), to };
}

export function allSlotsRange(): { from: Uint8Array; to: Uint8Array } {
  return { from: row(SLOT, 0), to: row(SLOT + 1, 0) };
}

/** Of a session's own row, or of one of its slots. */
export function sessionOfRow(key: Uint8Array): Stamp {
  return {
    time: readU64(key, HEAD_BYTES),
    actorHigh: readU32(key, HEAD_BYTES + 8),
    actorLow: readU32(key, HEAD_BYTES + 12),
  };
}

export function slotOfRow(key: Uint8Array): number {
  const at = HEAD_BYTES + STAMP_BYTES;
  return ((key[at] as number) << 8) | (key[at + 1] as number);
}

function timedRow(kind: number, timeMs: number, rest: Uint8Array): Uint8Array {
  const key = row(kind, TIME_BYTES + rest.length);
  writeU64(key, timeMs, HEAD_BYTES);
  key.set(rest, HEAD_BYTES + TIME_BYTES);
  return key;
}

function timedRange(kind: number, clockMs?: number): { from: Uint8Array; to: Uint8Array } {
  const none = new Uint8Array(0);
  const to = clockMs === undefined ? row(kind + 1, 0) : timedRow(kind, clockMs + 1, none);
  return { from: row(kind, 0), to };
}

function row(kind: number, restBytes: number): Uint8Array {
  // Small ones share a slab. Whoever asks for a row fills in the rest.
  const key = Buffer.allocUnsafe(HEAD_BYTES + restBytes);
  key[0] = 0xff;
  key[1] = kind;
  return key;
}

function putStamp(target: Uint8Array, stamp: Stamp, at: number): void {
  writeU64(target, stamp.time, at);
  writeU32(target, stamp.actorHigh, at + 8);
  writeU32(target, stamp.actorLow, at + 12);
}
