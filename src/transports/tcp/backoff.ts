import type { RandomSource } from "../../core/contracts/environment.ts";

const FIRST_MS = 20;
const LONGEST_MS = 1_000;

/**
 * Delays between attempts: doubling from 20 ms to 1 s, each drawn from the upper half of its
 * step, so that nodes that lost a peer together do not come back together.
 */
export class Backoff {
  readonly #random: RandomSource;
  #stepMs = FIRST_MS;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  nextMs(): number {
    const delayMs = this.#stepMs * (0.5 + this.#random.fraction() / 2);
    this.#stepMs = Math.min(this.#stepMs * 2, LONGEST_MS);
    return delayMs;
  }

  reset(): void {
    this.#stepMs = FIRST_MS;
  }
}
