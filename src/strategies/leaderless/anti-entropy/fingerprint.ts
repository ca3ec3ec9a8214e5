import { type HashPair, hashPair } from "../../../core/model/hash.ts";

const HIGH_SEED = 0x9e3779b9;
const LOW_SEED = 0x7f4a7c15;

/** Half-open, in the order of the keys' bytes; undefined is unbounded. */
export interface KeySpan {
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
}

/**
 * What stands for all entries of a span: how many there are, and the exclusive or of their 64-bit
 * hashes. It does not depend on the order in which they came, and the sum of two spans that touch
 * is the summary of both. Against mistakes, not against enemies: whoever can choose records can
 * make two sets look alike.
 */
export class Summary {
  count = 0;
  high = 0;
  low = 0;

  add(other: Summary): void {
    this.count += other.count;
    this.high = (this.high ^ other.high) >>> 0;
    this.low = (this.low ^ other.low) >>> 0;
  }

  addEntry(key: Uint8Array, record: Uint8Array): void {
    const { high, low } = entryHash(key, record);
    this.count++;
    this.high = (this.high ^ high) >>> 0;
    this.low = (this.low ^ low) >>> 0;
  }

  equals(other: Summary): boolean {
    return this.count === other.count && this.high === other.high && this.low === other.low;
  }

  clear(): void {
    this.count = 0;
    this.high = 0;
    this.low = 0;
  }

  /** As text: how many entries, and their sum. */
  describe(): string {
    const [high, low] = [this.high, this.low].map((half) => half.toString(16).padStart(8, "0"));
    return `${this.count} ${high}${low}`;
  }

  copy(): Summary {
    const copy = new Summary();
    copy.add(this);
    return copy;
  }
}

export function summaryOfEntry(key: Uint8Array, record: Uint8Array): Summary {
  const summary = new Summary();
  summary.addEntry(key, record);
  return summary;
}

/** The shortest bytes that are above `below` and not above `key`: what tells two spans apart. */
export function separatorBetween(below: Uint8Array, key: Uint8Array): Uint8Array {
  let same = 0;
  while (same < below.length && below[same] === key[same]) same++;
  return key.slice(0, same + 1);
}

/** The record's hash is the seed of the key's: swapping two keys' records changes both. */
function entryHash(key: Uint8Array, record: Uint8Array): HashPair {
  const pair = { high: HIGH_SEED, low: LOW_SEED };
  hashPair(record, pair);
  hashPair(key, pair);
  return pair;
}
