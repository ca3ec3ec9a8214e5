const HEADER_WORDS = 4;
const EMPTY = 0;

/**
 * Remembers (set of placed operations, state) pairs without a loss: hashes find a pair, its words
 * decide. All operations below some index are placed and few above it are, so the words in between
 * say it all, and an entry takes some ten of them, however long the history is.
 *
 * One `Uint32Array` holds the entries one behind the other (hash, state, first word, count of
 * words, words); a second one is a hash table of their places with open addressing.
 */
export class ConfigurationCache {
  #entries = new Uint32Array(4_096);
  /** Place 0 stands for "empty". */
  #end = 1;
  #table = new Uint32Array(1_024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False if the pair is there already. `done` counts from word `from` up to, without, `to`. */
  add(hash: number, state: number, done: Uint32Array, from: number, to: number): boolean {
    if ((this.#size + 1) * 2 > this.#table.length) this.#rehash();
    const mask = this.#table.length - 1;
    let slot = mix(hash, state) & mask;
    for (;;) {
      const place = this.#table[slot] as number;
      if (place === EMPTY) break;
      if (this.#isAt(place, hash, state, done, from, to)) return false;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = this.#append(hash, state, done, from, to);
    this.#size += 1;
    return true;
  }

  #isAt(
    place: number,
    hash: number,
    state: number,
    done: Uint32Array,
    from: number,
    to: number,
  ): boolean {
    const entries = this.#entries;
    if (entries[place] !== hash || entries[place + 1] !== state) return false;
    if (entries[place + 2] !== from || entries[place + 3] !== to - from) return false;
    for (let word = from, at = place + HEADER_WORDS; word < to; word += 1, at += 1) {
      if (entries[at] !== done[word]) return false;
    }
    return true;
  }

  #append(hash: number, state: number, done: Uint32Array, from: number, to: number): number {
    const place = this.#end;
    const end = place + HEADER_WORDS + to - from;
    if (end > this.#entries.length) {
      const grown = new Uint32Array(Math.max(end, this.#entries.length * 2));
      grown.set(this.#entries);
      this.#entries = grown;
    }
    this.#entries[place] = hash;
    this.#entries[place + 1] = state;
    this.#entries[place + 2] = from;
    this.#entries[place + 3] = to - from;
    for (let word = from, at = place + HEADER_WORDS; word < to; word += 1, at += 1) {
      this.#entries[at] = done[word] as number;
    }
    this.#end = end;
    return place;
  }

  #rehash(): void {
    const table = new Uint32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let place = 1; place < this.#end; ) {
      let slot = mix(this.#entries[place] as number, this.#entries[place + 1] as number) & mask;
      while (table[slot] !== EMPTY) slot = (slot + 1) & mask;
      table[slot] = place;
      place += HEADER_WORDS + (this.#entries[place + 3] as number);
    }
    this.#table = table;
  }
}

/** The set's hash is spread already; the state is a small number. */
function mix(hash: number, state: number): number {
  const mixed = hash ^ Math.imul(state + 1, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
