/** Draws for generators of values and operations: the same from the same seed, everywhere. */
export interface LawRandom {
  /** A whole number from 0, below the bound. */
  below(bound: number): number;
  /** One of the list, which is not empty. */
  pick<T>(from: readonly T[]): T;
}

/** SplitMix32: its period of 2^32 is plenty for a check. */
export class SeededLawRandom implements LawRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % bound;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}
