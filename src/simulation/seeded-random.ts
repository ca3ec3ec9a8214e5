import type { RandomSource } from "../core/contracts/environment.ts";

/** Deterministic in (seed, stream): SplitMix32, whose period 2^32 is plenty for a test. */
export class SeededRandom implements RandomSource {
  #state: number;

  constructor(seed: number, stream = "") {
    let state = seed >>> 0;
    for (let at = 0; at < stream.length; at += 1) {
      state = (Math.imul(state ^ stream.charCodeAt(at), 0x01000193) + 0x9e3779b9) >>> 0;
    }
    this.#state = state;
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  fraction(): number {
    return this.uint32() / 4_294_967_296;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 0xff);
  }
}
