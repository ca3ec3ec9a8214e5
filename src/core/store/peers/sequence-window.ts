/** Frames of one lane that may overtake each other; what is older than that counts as lost. */
const WINDOW = 4_096;
const WORDS = WINDOW / 32;

/**
 * Which sequences of one sender's lane have come, so that each is taken once. A transport may
 * double frames, and a doubled write is not harmless: refused for what was written since the first
 * copy, it would look as if it had never been stored.
 *
 * Sequences wrap at 2^32, so they are compared by their distance (RFC 1982).
 */
export class SequenceWindow {
  #newest: number | undefined;
  /** Bit `sequence mod WINDOW`: it has come. Valid for newest − WINDOW < sequence ≤ newest. */
  readonly #came = new Uint32Array(WORDS);

  /** False if it came before, or is so old that nobody knows. */
  take(sequence: number): boolean {
    const ahead = this.#newest === undefined ? WINDOW : (sequence - this.#newest) | 0;
    if (ahead <= -WINDOW) return false;
    if (ahead > 0) this.#advance(sequence, ahead);
    const word = (sequence % WINDOW) >>> 5;
    const bit = 1 << (sequence & 31);
    if (((this.#came[word] as number) & bit) !== 0) return false;
    this.#came[word] = (this.#came[word] as number) | bit;
    return true;
  }

  /** Another sender, which counts from anywhere. */
  reset(): void {
    this.#newest = undefined;
  }

  #advance(sequence: number, ahead: number): void {
    if (ahead >= WINDOW) this.#came.fill(0);
    else {
      for (let step = 0; step < ahead; step++) {
        const passed = (sequence - step) >>> 0;
        const word = (passed % WINDOW) >>> 5;
        this.#came[word] = (this.#came[word] as number) & ~(1 << (passed & 31));
      }
    }
    this.#newest = sequence;
  }
}
