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
    this.note(kind, atMs, x, crc32(bytes));
  }

  noteText(kind: number, atMs: number, text: string): void {
    this.note(kind, atMs, text.length, crc32(text));
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

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
