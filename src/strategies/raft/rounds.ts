const KEPT = 4_096;

/**
 * Numbers what a leader asks of its followers, one number for all that leaves at one moment, and
 * remembers when that was. An answer carries the number back: it says since when the sender was
 * still being followed (ReadIndex), and from which time on a promise counts (leases).
 */
export class Rounds {
  #current = 0;
  readonly #sentAtMs = new Float64Array(KEPT);

  get current(): number {
    return this.#current;
  }

  begin(nowMs: number): number {
    this.#current++;
    this.#sentAtMs[this.#current % KEPT] = nowMs;
    return this.#current;
  }

  /** Of a round that is long forgotten: never. */
  sentAtMs(round: number): number {
    if (round < 1 || round > this.#current || this.#current - round >= KEPT) {
      return Number.NEGATIVE_INFINITY;
    }
    return this.#sentAtMs[round % KEPT] as number;
  }
}
