/**
 * The set of placed operations as bits, with a hash that each change turns in one step: every
 * operation has a word of its own, drawn once, and the hash is the exclusive or of those in the
 * set (Zobrist, "A New Hashing Method with Application for Game Playing", 1970).
 */
export class PlacedSet {
  readonly words: Uint32Array;
  readonly #zobrist: Uint32Array;
  #hash = 0;
  #from = 0;
  #to = 0;

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5);
    this.#zobrist = new Uint32Array(size);
    for (let index = 0; index < size; index += 1) this.#zobrist[index] = scrambled(index + 1);
  }

  get hash(): number {
    return this.#hash;
  }

  /** The first word that is not full. */
  get from(): number {
    return this.#from;
  }

  /** Behind the last word that is not empty; never less than `from`. */
  get to(): number {
    return this.#to;
  }

  add(index: number): void {
    const word = index >>> 5;
    this.words[word] = ((this.words[word] as number) | (1 << (index & 31))) >>> 0;
    this.#hash = (this.#hash ^ (this.#zobrist[index] as number)) >>> 0;
    if (word >= this.#to) this.#to = word + 1;
    while (this.#from < this.words.length && this.words[this.#from] === 0xffff_ffff) {
      this.#from += 1;
    }
    if (this.#to < this.#from) this.#to = this.#from;
  }

  remove(index: number): void {
    const word = index >>> 5;
    this.words[word] = ((this.words[word] as number) & ~(1 << (index & 31))) >>> 0;
    this.#hash = (this.#hash ^ (this.#zobrist[index] as number)) >>> 0;
    if (word < this.#from) this.#from = word;
    while (this.#to > this.#from && this.words[this.#to - 1] === 0) this.#to -= 1;
  }
}

/** A fixed word for each number: not chance, so that a search is the same each time. */
function scrambled(number: number): number {
  let mixed = Math.imul(number, 0x9e3779b9);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
