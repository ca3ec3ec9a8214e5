import { crc32 } from "node:zlib";

/** What a trace is made of, one number each. */
export const TRACE = Object.freeze({
  timerSet: 1,
  timerFired: 2,
  soon: 3,
  defer: 4,
  frameSent: 5,
  frameCame: 6,
  /** Bytes that reach a file, or that a power cut has left there. */
  diskWrite: 7,
  /** Names, syncs and folders. */
  disk: 8,
  /** Each mutation of the state. */
  commit: 9,
  fault: 10,
  call: 11,
  answer: 12,
  start: 13,
  timerCleared: 14,
} as const);

/** From here on a checksum by native code costs less than one made here. */
const LONG_BYTES = 512;

/**
 * A running hash over everything that happens in a world: two runs of one seed have the same one.
 * Two lanes of 32 bits, for speed: it finds accidents, it does not withstand an adversary.
 */
export class Trace {
  #a = 0x811c9dc5;
  #b = 0x2545f491;
  #entries = 0;
  #atMs = 0;
  #wholeMs = 0;
  #partOfMs = 0;

  get entries(): number {
    return this.#entries;
  }

  note(kind: number, atMs: number, x: number, y = 0): void {
    this.#entries += 1;
    if (atMs !== this.#atMs) {
      // Most things happen at the same time as the one before them.
      this.#atMs = atMs;
      this.#wholeMs = Math.floor(atMs) | 0;
      this.#partOfMs = ((atMs - Math.floor(atMs)) * 4_294_967_296) | 0;
    }
    const whole = this.#wholeMs;
    const part = this.#partOfMs;
    this.#a = nextA(nextA(nextA(nextA(nextA(this.#a, kind), whole), part), x | 0), y | 0);
    this.#b = nextB(nextB(nextB(nextB(nextB(this.#b, kind), whole), part), x | 0), y | 0);
  }

  noteBytes(kind: number, atMs: number, x: number, bytes: Uint8Array): void {
    const isLong = bytes.length >= LONG_BYTES;
    this.note(kind, atMs, x, isLong ? crc32(bytes) : hashOfBytes(bytes));
  }

  noteText(kind: number, atMs: number, text: string): void {
    this.note(kind, atMs, text.length, hashOfText(text));
  }

  /** The same, of a text that is noted again and again. */
  noteKnown(kind: number, atMs: number, { length, hash }: KnownText): void {
    this.note(kind, atMs, length, hash);
  }

  /** 16 hex digits. */
  digest(): string {
    return hex(this.#a) + hex(this.#b);
  }
}

/** What a trace takes of a text. */
export interface KnownText {
  readonly length: number;
  readonly hash: number;
}

export function knownText(text: string): KnownText {
  return { length: text.length, hash: hashOfText(text) };
}

function nextA(a: number, value: number): number {
  const turned = Math.imul(a ^ value, 0x85ebca6b);
  return turned ^ (turned >>> 13);
}

function nextB(b: number, value: number): number {
  return Math.imul(((b << 5) | (b >>> 27)) ^ value, 0xc2b2ae35);
}

/** Of all bytes, four at a time, and of how many there are (after MurmurHash3's block and end). */
function hashOfBytes(bytes: Uint8Array): number {
  const { length } = bytes;
  const whole = length & ~3;
  let hash = length;
  for (let at = 0; at < whole; at += 4) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
    hash = mixed(hash, low | (high << 16));
  }
  for (let at = whole; at < length; at += 1) hash = mixed(hash, bytes[at] as number);
  return hash;
}

function hashOfText(text: string): number {
  let hash = text.length;
  for (let at = 0; at < text.length; at += 1) hash = mixed(hash, text.charCodeAt(at));
  return hash;
}

/** For each `word` one to one in `hash`, and for each `hash` one to one in `word`. */
function mixed(hash: number, word: number): number {
  const turned = Math.imul(hash ^ word, 0xcc9e2d51);
  return (Math.imul((turned << 15) | (turned >>> 17), 0x1b873593) + 0x52dce729) | 0;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
