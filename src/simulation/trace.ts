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

  get entries(): number {
    return this.#entries;
  }

  note(kind: number, atMs: number, x: number, y = 0): void {
    this.#entries += 1;
    const whole = Math.floor(atMs);
    this.#mix(kind);
    this.#mix(whole | 0);
    this.#mix(((atMs - whole) * 4_294_967_296) | 0);
    this.#mix(x | 0);
    this.#mix(y | 0);
  }

  noteBytes(kind: number, atMs: number, x: number, bytes: Uint8Array): void {
    const isLong = bytes.length >= LONG_BYTES;
    this.note(kind, atMs, x, isLong ? crc32(bytes) : hashOfBytes(bytes));
  }

  noteText(kind: number, atMs: number, text: string): void {
    this.note(kind, atMs, text.length, hashOfText(text));
  }

  /** 16 hex digits. */
  digest(): string {
    return hex(this.#a) + hex(this.#b);
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x85ebca6b);
    this.#a ^= this.#a >>> 13;
    this.#b = Math.imul(((this.#b << 5) | (this.#b >>> 27)) ^ value, 0xc2b2ae35);
  }
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
