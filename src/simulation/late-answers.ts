import type { Environment } from "../core/contracts/environment.ts";

/** How late the answers to reads of a log are, and what came of it. */
export interface Lateness {
  /** How much later than it could be the next answer comes, in milliseconds; 0: it does not wait. */
  nextMs(): number;
  /** An answer was given before that to an earlier question. */
  onOvertaken(): void;
}

/**
 * Answers of one process that come later than they could, each by a time of its own: others overtake
 * them, and what they tell of goes on meanwhile.
 */
export class LateAnswers {
  readonly #environment: Environment;
  readonly #lateness: Lateness;
  /** Those that are held, by when they could have come: oldest first. */
  readonly #held = new Set<object>();
  #whenNone: (() => void) | undefined;

  constructor(environment: Environment, lateness: Lateness) {
    this.#environment = environment;
    this.#lateness = lateness;
  }

  give(answer: () => void): void {
    const delayMs = this.#lateness.nextMs();
    if (delayMs === 0) {
      if (this.#held.size > 0) this.#lateness.onOvertaken();
      return answer();
    }
    const held = {};
    this.#held.add(held);
    this.#environment.setTimer(delayMs, () => {
      const [oldest] = this.#held;
      if (oldest !== held) this.#lateness.onOvertaken();
      this.#held.delete(held);
      answer();
      if (this.#held.size === 0) this.#whenNone?.();
    });
  }

  /** Settles once none is held any more. */
  async settled(): Promise<void> {
    if (this.#held.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenNone = resolve;
    });
  }
}
