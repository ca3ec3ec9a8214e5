import type { NodeId } from "../../core/model/ids.ts";

/** Who waits for what becomes of an entry. */
export interface Waiter {
  readonly index: number;
  readonly term: number;
  /** The coordinator's. */
  readonly node: NodeId;
  readonly requestId: number;
}

/**
 * The entries that this replica appended as leader and whose askers have not heard yet. Appended in
 * order, applied in order: a queue.
 *
 * What became of an entry is known when its index is applied: with another term it was another
 * entry (Log Matching, extended paper §5.3), and this one never takes effect.
 */
export class Proposals {
  readonly #waiters: Waiter[] = [];
  #head = 0;

  get size(): number {
    return this.#waiters.length - this.#head;
  }

  add(waiter: Waiter): void {
    // A new leader's log may be shorter than what this node had appended as leader before.
    this.#waiters.push(waiter);
  }

  /** The waiter of the entry at `index`, and no longer; those before it are nobody's. */
  take(index: number): Waiter | undefined {
    while (this.#head < this.#waiters.length) {
      const next = this.#waiters[this.#head] as Waiter;
      if (next.index > index) return undefined;
      this.#advance();
      if (next.index === index) return next;
    }
    return undefined;
  }

  /** Everybody who still waits, and no longer: leadership is lost, and with it all certainty. */
  takeAll(): readonly Waiter[] {
    const all = this.#waiters.slice(this.#head);
    this.#waiters.length = 0;
    this.#head = 0;
    return all;
  }

  #advance(): void {
    this.#head++;
    if (this.#head < 1_024 || this.#head * 2 < this.#waiters.length) return;
    this.#waiters.splice(0, this.#head);
    this.#head = 0;
  }
}
