import type { ShardChange } from "./apply.ts";

/**
 * The offset of an entry's last change, whatever their number: who stands there has been told all of
 * the entry. A replica that takes up a state at the entry's index can say only this of it, and not
 * how many changes there were; who has heard some of them is told that the others are missing.
 */
export const LAST_OF_ENTRY = 0xffff_ffff;

/** Tells what one entry changes, one change behind: the last has an offset of its own. */
export class EntryChanges {
  readonly #tell: (change: ShardChange, offset: number) => void;
  #untold: ShardChange | undefined;

  constructor(tell: (change: ShardChange, offset: number) => void) {
    this.#tell = tell;
  }

  add(change: ShardChange): void {
    const before = this.#untold;
    this.#untold = change;
    if (before !== undefined) this.#tell(before, before.ordinal);
  }

  /** The entry has no more of them. */
  end(): void {
    const last = this.#untold;
    this.#untold = undefined;
    if (last !== undefined) this.#tell(last, LAST_OF_ENTRY);
  }
}
