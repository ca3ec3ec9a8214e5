import type { PendingWrite } from "./pending-write.ts";

/** Writes that were answered while copies of them were on their way; above it, answers wait. */
const MAX_LAGGING = 4_096;

/**
 * Holds writers to their replicas' pace. A write that has met its level is answered at once while
 * few copies are on their way. Where the replicas are so far behind that answering would only let
 * the backlog grow, the answer waits until they have caught up, at the most until its deadline.
 */
export class WritePace {
  /** Writes that have ended, but not at all replicas that were sent a copy. */
  #lagging = 0;
  readonly #held: PendingWrite[] = [];

  get mayAnswer(): boolean {
    return this.#lagging < MAX_LAGGING;
  }

  hold(pending: PendingWrite): void {
    pending.paced = true;
    this.#held.push(pending);
  }

  /** A write has ended before all its copies were acknowledged. */
  lag(): void {
    this.#lagging++;
  }

  caughtUp(): void {
    this.#lagging--;
  }

  /** The next held write that may be answered now. */
  next(): PendingWrite | undefined {
    while (this.mayAnswer) {
      const next = this.#held.shift();
      if (next === undefined || !next.ended) return next;
    }
    return undefined;
  }
}
