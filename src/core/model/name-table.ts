/** A power of two. */
const SLOTS = 512;

/**
 * Names of properties that were decoded lately. Values of one keyspace have the same few names
 * again and again, and to find a string costs a third of making it. Holds at most one name per
 * slot, so it cannot grow; a name that is not found is only made anew.
 */
export class NameTable {
  readonly #slots: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined);

  /** The kept name whose characters are these bytes, one each. `length > 0`. */
  find(bytes: Uint8Array, from: number, length: number): string | undefined {
    const first = bytes[from] as number;
    const name = this.#slots[slotOf(first, bytes[from + length - 1] as number, length)];
    if (name === undefined || name.length !== length) return undefined;
    for (let index = 0; index < length; index++) {
      if (name.charCodeAt(index) !== bytes[from + index]) return undefined;
    }
    return name;
  }

  /** ASCII alone: a Latin-1 letter would be found for a byte that is no UTF-8. Not empty. */
  keep(name: string): void {
    const length = name.length;
    this.#slots[slotOf(name.charCodeAt(0), name.charCodeAt(length - 1), length)] = name;
  }
}

function slotOf(first: number, last: number, length: number): number {
  return (first * 7 + last * 31 + length * 101) & (SLOTS - 1);
}
