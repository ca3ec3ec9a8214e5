import { termOfEntry } from "./entry.ts";
import { violated } from "./invariant.ts";

/** From `from` on, up to the next run, entries are of `term`. */
interface TermRun {
  readonly from: number;
  readonly term: number;
}

/** How many bytes had been appended when the entry at `index` was the newest. */
interface ByteMark {
  readonly index: number;
  readonly bytes: number;
}

/** Marks are set so often that what is kept is exact to this part of it. */
const MARKS = 16;
const MAX_MARK_BYTES = 64 * 1024;
const COMPACT_AT = 1_024;
const WANTED_TIMES = 8;
const NO_MARK: ByteMark = Object.freeze({ index: 0, bytes: 0 });
const NO_RECORDS: readonly Uint8Array[] = Object.freeze([]);

/**
 * The log as the machine sees it: the newest entries in memory, and of all entries since it was
 * opened (or was reset by a snapshot) the terms. What is older is in the node's log, and has to be
 * read back.
 *
 * Invariants:
 * - terms never fall with the index: `i < j ⇒ term(i) ≤ term(j)`;
 * - entries of `memoryFirst … lastIndex` are in memory;
 * - terms of `baseIndex … lastIndex` are known.
 */
export class RaftLog {
  #lastIndex = 0;
  #baseIndex = 0;
  #baseTerm = 0;
  /** Of the entries above the base, in order. */
  #runs: TermRun[] = [];
  /** Entries from `#memoryFirst` on, behind `#head` places that are empty. */
  #records: (Uint8Array | undefined)[] = [];
  #head = 0;
  #memoryFirst = 1;
  #memoryBytes = 0;
  #appendedBytes = 0;
  #marks: ByteMark[] = [];
  /** The newest that was given up. */
  #oldMark: ByteMark = NO_MARK;
  readonly #markBytes: number;

  /** @param retainedBytes what `releasable` will be asked for. */
  constructor(retainedBytes: number) {
    this.#markBytes = Math.min(retainedBytes / MARKS, MAX_MARK_BYTES);
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get lastTerm(): number {
    const run = this.#runs[this.#runs.length - 1];
    return run === undefined ? this.#baseTerm : run.term;
  }

  get memoryFirst(): number {
    return this.#memoryFirst;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The log begins behind an entry that is in the state: it holds nothing yet. */
  reset(index: number, term: number): void {
    this.#lastIndex = index;
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#runs = [];
    this.#records = [];
    this.#head = 0;
    this.#memoryFirst = index + 1;
    this.#memoryBytes = 0;
    this.#appendedBytes = 0;
    this.#marks = [];
    this.#oldMark = { index, bytes: 0 };
  }

  append(record: Uint8Array): number {
    const term = termOfEntry(record);
    const lastTerm = this.lastTerm;
    if (term < lastTerm) violated("term(i) ≤ term(i + 1)", lastTerm, term);
    const index = ++this.#lastIndex;
    if (term > lastTerm) this.#runs.push({ from: index, term });
    this.#records.push(record);
    this.#memoryBytes += record.length;
    this.#appendedBytes += record.length;
    if (this.#appendedBytes - (this.#marks.at(-1)?.bytes ?? 0) >= this.#markBytes) {
      this.#marks.push({ index, bytes: this.#appendedBytes });
    }
    return index;
  }

  /** Drops the entries above `index`. */
  truncate(index: number): void {
    if (index < this.#baseIndex) violated("truncated index ≥ base", index, this.#baseIndex);
    const isKnown = index + 1 >= this.#memoryFirst;
    while (this.#lastIndex > index) {
      if (this.#lastIndex >= this.#memoryFirst) {
        const bytes = (this.#records.pop() as Uint8Array).length;
        this.#memoryBytes -= bytes;
        this.#appendedBytes -= bytes;
      }
      this.#lastIndex--;
    }
    while ((this.#runs.at(-1)?.from ?? 0) > index) this.#runs.pop();
    while ((this.#marks.at(-1)?.index ?? 0) > index) this.#marks.pop();
    if (isKnown) return;
    this.#memoryFirst = index + 1;
    this.#appendedBytes = (this.#marks.at(-1) ?? this.#oldMark).bytes;
  }

  /** Undefined where it is not known: below the base, or beyond the end. */
  termOf(index: number): number | undefined {
    if (index > this.#lastIndex || index < this.#baseIndex) return undefined;
    for (let i = this.#runs.length - 1; i >= 0; i--) {
      const run = this.#runs[i] as TermRun;
      if (run.from <= index) return run.term;
    }
    return this.#baseTerm;
  }

  /** The entry's record, if it is in memory. */
  record(index: number): Uint8Array | undefined {
    if (index < this.#memoryFirst || index > this.#lastIndex) return undefined;
    return this.#records[this.#head + index - this.#memoryFirst];
  }

  /** Entries from `from` on that are in memory: up to `maxBytes`, at least one if there is one. */
  records(from: number, maxBytes: number): readonly Uint8Array[] {
    if (from > this.#lastIndex || from < this.#memoryFirst) return NO_RECORDS;
    const start = this.#head + from - this.#memoryFirst;
    let end = start;
    let bytes = 0;
    while (end < this.#records.length) {
      bytes += (this.#records[end] as Uint8Array).length;
      if (bytes > maxBytes && end > start) break;
      end++;
    }
    return this.#records.slice(start, end) as Uint8Array[];
  }

  /**
   * The last index ≤ `index` whose term is ≤ `term`: beyond it no log whose newest term is `term`
   * can agree with this one. Never below the base, where everything agrees.
   */
  lastIndexWithin(index: number, term: number): number {
    let at = Math.min(index, this.#lastIndex);
    for (let i = this.#runs.length - 1; i >= 0 && at > this.#baseIndex; i--) {
      const run = this.#runs[i] as TermRun;
      if (run.from > at) continue;
      if (run.term <= term) return at;
      at = run.from - 1;
    }
    return Math.max(at, this.#baseIndex);
  }

  /** Of entries that are in memory, from `from` to `to`. */
  bytesBetween(from: number, to: number): number {
    let bytes = 0;
    for (let index = from; index <= to; index++) bytes += this.record(index)?.length ?? 0;
    return bytes;
  }

  /** Of all entries above `index`: exactly while memory has them, else within a mark, and one for each cut behind memory. */
  bytesAbove(index: number): number {
    if (index + 1 >= this.#memoryFirst) return this.bytesBetween(index + 1, this.#lastIndex);
    const mark = this.#marks.findLast((it) => it.index <= index) ?? this.#oldMark;
    return this.#appendedBytes - mark.bytes;
  }

  /** Forgets the oldest entries while they take more than `maxBytes`: they can be read back. */
  evict(maxBytes: number): void {
    while (this.#memoryBytes > maxBytes && this.#memoryFirst < this.#lastIndex) {
      this.#memoryBytes -= (this.#records[this.#head] as Uint8Array).length;
      this.#records[this.#head++] = undefined;
      this.#memoryFirst++;
    }
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * Below which entries are not kept for followers: those at least `retainedBytes` back from the
   * end, and none above `applied`; from `wanted` on somebody is about to ask for them, and
   * `WANTED_TIMES` as many bytes are kept. Undefined if that is where it was.
   */
  releasable(applied: number, retainedBytes: number, wanted?: number): number | undefined {
    let count = 0;
    for (const { index, bytes } of this.#marks) {
      const keptBytes = wanted === undefined || index < wanted ? 1 : WANTED_TIMES;
      if (index > applied || this.#appendedBytes - bytes < keptBytes * retainedBytes) break;
      count++;
    }
    if (count === 0) return undefined;
    const newest = this.#marks[count - 1] as ByteMark;
    this.#marks.splice(0, count);
    this.#oldMark = newest;
    return newest.index + 1;
  }
}
