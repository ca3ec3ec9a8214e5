import type { StateMutation } from "../contracts/storage.ts";

/** A write that waits for its log record, known by identity: it is the newest of its key. */
export type WaitingWrite = Extract<StateMutation, { type: "put" | "delete" }>;

/** Keys without a write are taken out once there are so many, and four times as many as with one. */
const SETTLED_KEYS = 256;
const SETTLED_FACTOR = 4;

/**
 * The newest write of each key that waits for the log, by the key's text.
 *
 * No key is ever deleted from a table: a `Map` that is filled and emptied is rebuilt all the time,
 * and V8 has each of its old tables refer to the next one. The first that lives long enough to be
 * moved to the old generation keeps all that follow, with all that was ever in them, until the next
 * full collection. Here the chain ends with each table.
 */
export class WaitingWrites {
  #table = new Map<string, WaitingWrite | undefined>();
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Those of settled writes included. */
  get keptKeys(): number {
    return this.#table.size;
  }

  get(text: string): WaitingWrite | undefined {
    return this.#table.get(text);
  }

  *entries(): Generator<readonly [string, WaitingWrite]> {
    for (const [text, write] of this.#table) if (write !== undefined) yield [text, write];
  }

  add(text: string, write: WaitingWrite): void {
    if (this.#table.get(text) === undefined) this.#count += 1;
    this.#table.set(text, write);
  }

  /** It is committed: shown no more, unless something younger has taken its place already. */
  settle(text: string, write: WaitingWrite): void {
    if (this.#table.get(text) !== write) return;
    this.#table.set(text, undefined);
    this.#count -= 1;
    if (this.#table.size > SETTLED_KEYS + SETTLED_FACTOR * this.#count) {
      this.#table = new Map(this.entries());
    }
  }
}
