const LEAST_MS = 2_000;
const LONGEST_MS = 30_000;
/** How much longer than before an answer may take until it is taken for lost. */
const SLOWER = 2;
const MORE = 1.5;

/**
 * How long an answer of a peer is waited for before what it would answer is sent again: twice what the
 * last one took, and half as long again after each wait in vain. A fixed wait that all answers are
 * longer than, as over a slow link, would have everything sent again and again, which fills the link
 * until nothing else comes through.
 */
export class AnswerWait {
  readonly #leastMs: number;
  #ms: number;

  /**
   * @param leastMs once an answer has come. Default: two seconds.
   * @param firstMs until then. Default: two seconds at least, as nothing is known of the link.
   */
  constructor(leastMs = LEAST_MS, firstMs = Math.max(leastMs, LEAST_MS)) {
    this.#leastMs = leastMs;
    this.#ms = firstMs;
  }

  get ms(): number {
    return this.#ms;
  }

  /** An answer has come, so long after the very message that it answers. */
  answered(tookMs: number): void {
    this.#set(SLOWER * tookMs);
  }

  /** It was waited for in vain, and what it would answer is sent again. */
  inVain(): void {
    this.#set(this.#ms * MORE);
  }

  #set(ms: number): void {
    this.#ms = Math.max(Math.min(ms, LONGEST_MS), this.#leastMs);
  }
}
