import { type HistoryOperation, OPEN_ENDED } from "./operation.ts";

const NONE = -1;

/**
 * Calls and returns of operations in the order of events, doubly linked: entry 2i is the call of
 * operation i, 2i + 1 its return. An operation that has been placed is lifted out, so that the
 * walk from the head meets exactly the operations that may come next: those called before the
 * first return that is still there. Open-ended operations have no return here.
 */
export class EventList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #returns: Uint8Array;
  /** Index of the sentinel in front of the first entry. */
  readonly #head: number;
  #returnsLeft = 0;

  constructor(history: readonly HistoryOperation<unknown, unknown>[]) {
    this.#head = history.length * 2;
    this.#next = new Int32Array(this.#head + 1).fill(NONE);
    this.#previous = new Int32Array(this.#head + 1).fill(NONE);
    this.#returns = new Uint8Array(history.length);
    this.#link(history);
  }

  /** Returns that are in the list. At 0 what is left may be left out. */
  get returnsLeft(): number {
    return this.#returnsLeft;
  }

  /** The first operation that may come next; −1: there is none. */
  first(): number {
    return operationOf(this.#next[this.#head] as number);
  }

  /** The one that may come next instead of this one, which was called before it. */
  after(operation: number): number {
    return operationOf(this.#next[operation * 2] as number);
  }

  lift(operation: number): void {
    this.#unlink(operation * 2);
    if (this.#returns[operation] === 0) return;
    this.#unlink(operation * 2 + 1);
    this.#returnsLeft -= 1;
  }

  /** Undoes the latest `lift` that was not undone. */
  putBack(operation: number): void {
    // In the reverse order of unlinking, so that the neighbours are those of then.
    if (this.#returns[operation] === 1) {
      this.#relink(operation * 2 + 1);
      this.#returnsLeft += 1;
    }
    this.#relink(operation * 2);
  }

  #link(history: readonly HistoryOperation<unknown, unknown>[]): void {
    const events: { readonly entry: number; readonly at: number }[] = [];
    for (const [index, { calledAt, returnedAt }] of history.entries()) {
      events.push({ entry: index * 2, at: calledAt });
      if (returnedAt === OPEN_ENDED) continue;
      events.push({ entry: index * 2 + 1, at: returnedAt });
      this.#returns[index] = 1;
      this.#returnsLeft += 1;
    }
    // Operations that touch at one place overlap: calls first.
    events.sort((a, b) => a.at - b.at || (a.entry % 2) - (b.entry % 2));
    let before = this.#head;
    for (const { entry } of events) {
      this.#next[before] = entry;
      this.#previous[entry] = before;
      before = entry;
    }
  }

  #unlink(entry: number): void {
    const previous = this.#previous[entry] as number;
    const next = this.#next[entry] as number;
    this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    const previous = this.#previous[entry] as number;
    const next = this.#next[entry] as number;
    this.#next[previous] = entry;
    if (next !== NONE) this.#previous[next] = entry;
  }
}

/** Nothing may come next where a return stands, or nothing. */
function operationOf(entry: number): number {
  return entry === NONE || entry % 2 === 1 ? NONE : entry >>> 1;
}
