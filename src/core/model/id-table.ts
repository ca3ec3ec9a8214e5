const SLOTS = 8_192;
const MASK = SLOTS - 1;

/**
 * Values by ids that are given out one after another: what is under way, by the number that its
 * answers will carry. Nearly every id finds its own slot of a ring; an id whose slot is taken by
 * one that has lived for 8,192 further ids stands in a map beside it. A `Map` alone does the same
 * at several times the cost, because it is rebuilt again and again where each entry lives shortly.
 *
 * Invariant: an id is in the ring or in the overflow, never in both.
 */
export class IdTable<Value> {
  readonly #values: (Value | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #ids = new Uint32Array(SLOTS);
  readonly #overflow = new Map<number, Value>();
  #inRing = 0;
  /** The slot that was taken last: what lives lies shortly below it. */
  #newest = 0;

  get size(): number {
    return this.#inRing + this.#overflow.size;
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  /** @param id a u32. */
  get(id: number): Value | undefined {
    const slot = id & MASK;
    if (this.#ids[slot] === id) {
      const value = this.#values[slot];
      if (value !== undefined) return value;
    }
    return this.#overflow.size === 0 ? undefined : this.#overflow.get(id);
  }

  set(id: number, value: Value): void {
    const slot = id & MASK;
    const held = this.#values[slot];
    if (held !== undefined && this.#ids[slot] !== id) {
      this.#overflow.set(id, value);
      return;
    }
    if (held === undefined) {
      this.#inRing++;
      if (this.#overflow.size > 0) this.#overflow.delete(id);
    }
    this.#ids[slot] = id;
    this.#values[slot] = value;
    this.#newest = slot;
  }

  delete(id: number): boolean {
    const slot = id & MASK;
    if (this.#ids[slot] === id && this.#values[slot] !== undefined) {
      this.#values[slot] = undefined;
      this.#inRing--;
      return true;
    }
    return this.#overflow.size > 0 && this.#overflow.delete(id);
  }

  /** In no order; the caller may delete while it looks at them. */
  entries(): readonly (readonly [id: number, value: Value])[] {
    const entries: [number, Value][] = [];
    for (let below = 0; below < SLOTS && entries.length < this.#inRing; below++) {
      const slot = (this.#newest - below) & MASK;
      const value = this.#values[slot];
      if (value !== undefined) entries.push([this.#ids[slot] as number, value]);
    }
    return this.#overflow.size === 0 ? entries : [...entries, ...this.#overflow];
  }

  /** In no order; the caller may delete while it looks at them. */
  values(): readonly Value[] {
    const values: Value[] = [];
    for (let below = 0; below < SLOTS && values.length < this.#inRing; below++) {
      const value = this.#values[(this.#newest - below) & MASK];
      if (value !== undefined) values.push(value);
    }
    return this.#overflow.size === 0 ? values : [...values, ...this.#overflow.values()];
  }
}
