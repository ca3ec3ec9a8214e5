import type { StateReader, StateViewHandle } from "../../src/core/contracts/machine.ts";
import type { StateEntry, StateRange } from "../../src/core/contracts/storage.ts";

/** A shard's `data` as machines read it, and nothing else. */
export class PlainState implements StateReader {
  #entries: StateEntry[] = [];
  /** Of the largest `range` that was asked for so far. */
  mostRead = 0;

  get entries(): readonly StateEntry[] {
    return this.#entries;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.#placeOf(key);
    const isThere = this.#isAt(at, key);
    this.#entries.splice(at, isThere ? 1 : 0, { key, value });
  }

  delete(key: Uint8Array): void {
    const at = this.#placeOf(key);
    if (this.#isAt(at, key)) this.#entries.splice(at, 1);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#placeOf(key);
    return this.#isAt(at, key) ? this.#entries[at]?.value : undefined;
  }

  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries = Number.POSITIVE_INFINITY,
  ): StateRange {
    const first = from === undefined ? 0 : this.#placeOf(from);
    const end = to === undefined ? this.#entries.length : this.#placeOf(to);
    let bytes = 0;
    let last = first;
    for (; last < end && last - first < limitEntries; last++) {
      const { key, value } = this.#entries[last] as StateEntry;
      bytes += key.length + value.length;
      if (last > first && bytes > limitBytes) break;
    }
    this.mostRead = Math.max(this.mostRead, last - first);
    return { entries: this.#entries.slice(first, last), more: last < end };
  }

  getSide(): undefined {
    return undefined;
  }

  rangeSide(): readonly StateEntry[] {
    return [];
  }

  openView(): StateViewHandle {
    throw new Error("a plain state has no views");
  }

  #placeOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare((this.#entries[middle] as StateEntry).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isAt(at: number, key: Uint8Array): boolean {
    const entry = this.#entries[at];
    return entry !== undefined && Buffer.compare(entry.key, key) === 0;
  }
}
