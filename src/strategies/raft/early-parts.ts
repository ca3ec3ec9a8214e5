/** Each further part of a turn may be so many times as long: a message costs more than an entry. */
const GROWTH = 4;

/**
 * When a leader sends what it has before its turn ends: the followers are at work on the first
 * entries of a turn while it still makes the last. One that sends everything at the end of the turn
 * waits in between, and so do they (docs/performance.md).
 */
export class EarlyParts {
  readonly #firstBytes: number;
  #goalBytes: number;
  #gatheredBytes = 0;

  constructor(firstBytes: number) {
    this.#firstBytes = firstBytes;
    this.#goalBytes = firstBytes;
  }

  /** Another entry waits to be sent. True: it leaves now, with those before it. */
  add(bytes: number): boolean {
    this.#gatheredBytes += bytes;
    if (this.#gatheredBytes < this.#goalBytes) return false;
    this.#gatheredBytes = 0;
    this.#goalBytes *= GROWTH;
    return true;
  }

  /** What was left has been sent. */
  endTurn(): void {
    this.#gatheredBytes = 0;
    this.#goalBytes = this.#firstBytes;
  }
}
