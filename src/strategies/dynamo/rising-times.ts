import type { HybridTime } from "../../core/model/stamp.ts";

const FIRST_CAPACITY = 16;

/**
 * A set of times that come in nearly rising order. Sorted numbers side by side: what is added last
 * nearly always stands last, and a number costs its eight bytes, where an entry of a `Set` is some
 * forty that the collector has to visit.
 */
export class RisingTimes {
  #times = new Float64Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The greatest; 0 if there is none. */
  get newest(): HybridTime {
    return this.#size === 0 ? 0 : (this.#times[this.#size - 1] as number);
  }

  has(time: HybridTime): boolean {
    const at = this.#placeOf(time);
    return at < this.#size && this.#times[at] === time;
  }

  /** Once more what is there already adds nothing. */
  add(time: HybridTime): void {
    const at = this.#size > 0 && time <= this.newest ? this.#placeOf(time) : this.#size;
    if (at < this.#size && this.#times[at] === time) return;
    if (this.#size === this.#times.length) this.#grow();
    if (at < this.#size) this.#times.copyWithin(at + 1, at, this.#size);
    this.#times[at] = time;
    this.#size++;
  }

  /** Of the first that is not below it. */
  #placeOf(time: HybridTime): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const grown = new Float64Array(Math.max(FIRST_CAPACITY, 2 * this.#times.length));
    grown.set(this.#times);
    this.#times = grown;
  }
}
