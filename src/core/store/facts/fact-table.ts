/** A fact as it is kept: what a row is made of when somebody asks. */
export interface KeptFact<F> {
  /** Rises by one per fact of the table, from 1, over one start of the node. */
  readonly id: number;
  readonly atMs: number;
  readonly keyspace: string;
  readonly fact: F;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface FactFilter {
  readonly keyspace?: string | undefined;
  /** UTF-8 bytes. */
  readonly key?: Uint8Array | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

/** The latest facts of one kind, in memory: a ring, so that each costs the same, for ever. */
export class FactTable<F extends { readonly key?: Uint8Array }> {
  readonly #capacity: number;
  readonly #kept: Mutable<KeptFact<F>>[] = [];
  #total = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Facts since the node was started; the latest of them are kept. */
  get total(): number {
    return this.#total;
  }

  add(keyspace: string, atMs: number, fact: F): void {
    const at = this.#total % this.#capacity;
    const id = ++this.#total;
    const kept = this.#kept[at];
    if (kept === undefined) {
      this.#kept[at] = { id, atMs, keyspace, fact };
      return;
    }
    // The places are used again: what is made anew for every write outlives it, and is paid twice.
    kept.id = id;
    kept.atMs = atMs;
    kept.keyspace = keyspace;
    kept.fact = fact;
  }

  /** The newest first. To be read at once: the next facts change what is given. */
  select({ keyspace, key, before, limit }: FactFilter): readonly KeptFact<F>[] {
    const found: KeptFact<F>[] = [];
    const oldest = Math.max(1, this.#total - this.#capacity + 1);
    const newest = Math.min(this.#total, (before ?? Number.POSITIVE_INFINITY) - 1);
    for (let id = newest; id >= oldest && found.length < limit; id--) {
      const kept = this.#kept[(id - 1) % this.#capacity] as KeptFact<F>;
      if (keyspace !== undefined && kept.keyspace !== keyspace) continue;
      if (key !== undefined && !isSame(kept.fact.key, key)) continue;
      found.push(kept);
    }
    return found;
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
