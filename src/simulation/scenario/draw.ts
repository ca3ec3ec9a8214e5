import type { RandomSource } from "../../core/contracts/environment.ts";

/** Draws from one stream of chance. */
export class Draw {
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  chance(share: number): boolean {
    return this.#random.fraction() < share;
  }

  /** From `min` to below `max`. */
  between(min: number, max: number): number {
    return min + this.#random.fraction() * (max - min);
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + (this.#random.uint32() % (max - min + 1));
  }

  /** Evenly over the orders of magnitude. */
  magnitude(min: number, max: number): number {
    return min * (max / min) ** this.#random.fraction();
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.#random.fraction()) * mean;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.#random.uint32() % choices.length] as T;
  }

  /** All of them, in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = this.whole(0, at);
      [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
    }
    return shuffled;
  }
}
