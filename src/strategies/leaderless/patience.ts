import { AnswerWait } from "../../core/model/answer-wait.ts";

/** What was asked before those is answered to nobody. */
const MAX_ASKED = 16;

/**
 * One question to one peer at a time, asked again, under another number, where its answer does not
 * come: any answer to it counts. Else there would be none where all take longer than the wait, as
 * for many shards at once over a slow link, which what is asked in vain fills further.
 */
export class Patience {
  readonly #wait = new AnswerWait();
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** When the question was asked under which number. */
  readonly #askedAtMs = new Map<number, number>();

  get isWaiting(): boolean {
    return this.#askedAtMs.size > 0;
  }

  /** Whether the question is to be asked, for the first time or again. */
  isDue(nowMs: number): boolean {
    return !this.isWaiting || nowMs - this.#lastAtMs >= this.#wait.ms;
  }

  asked(requestId: number, nowMs: number): void {
    if (this.isWaiting) this.#wait.inVain();
    this.#lastAtMs = nowMs;
    this.#askedAtMs.set(requestId, nowMs);
    const [oldest] = this.#askedAtMs.keys();
    if (this.#askedAtMs.size > MAX_ASKED) this.#askedAtMs.delete(oldest as number);
  }

  /** Whether the question that waits for its answer was asked under this number. */
  awaits(requestId: number): boolean {
    return this.#askedAtMs.has(requestId);
  }

  answered(requestId: number, nowMs: number): void {
    this.#wait.answered(nowMs - (this.#askedAtMs.get(requestId) ?? nowMs));
    this.#askedAtMs.clear();
  }

  /** Nothing is awaited any more. */
  forget(): void {
    this.#askedAtMs.clear();
  }
}
