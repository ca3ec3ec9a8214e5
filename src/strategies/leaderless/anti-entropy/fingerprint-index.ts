import type { StateReader } from "../../../core/contracts/machine.ts";
import type { StateEntry } from "../../../core/contracts/storage.ts";
import { keyAfter } from "../../../core/model/keys.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { type KeySpan, Summary, separatorBetween } from "./fingerprint.ts";

const BLOCK_ENTRIES = 64;
const MAX_BLOCK_ENTRIES = 2 * BLOCK_ENTRIES;
const MERGED_ENTRIES = BLOCK_ENTRIES / 2;
const BLOCK_BYTES = 128 * 1024;
/** Keys that were written since, before their blocks are looked up: a write pays a push for it. */
const MAX_TOUCHED = 1_024;
/** Of all blocks: are no more than this part not stale, the rest might as well be. */
const FEW_FRESH = 1 / 16;
/** What a block's sum costs beside an entry that has to be read and hashed. */
const BLOCKS_PER_ENTRY = 32;

/** A run of neighbouring entries: from `start` up to the next block's. */
interface Block {
  readonly start: Uint8Array;
  readonly summary: Summary;
  /** Something of it was written since it was summed up. */
  stale: boolean;
  /** Time of its youngest record, where it is not stale; and what its entries take. */
  newest: HybridTime;
  bytes: number;
}

/** The time of a record: of the youngest event in it. */
export type TimeOf = (record: Uint8Array) => HybridTime;

/** What a step may still read: steps are short. */
export class ScanBudget {
  #entries: number;
  #bytes: number;

  constructor(entries: number, bytes: number) {
    this.#entries = entries;
    this.#bytes = bytes;
  }

  get isSpent(): boolean {
    return this.#entries <= 0 || this.#bytes <= 0;
  }

  spend(entries: readonly StateEntry[]): void {
    this.#entries -= entries.length + 1;
    for (const { key, value } of entries) this.#bytes -= key.length + value.length;
  }

  spendBlock(): void {
    this.#entries -= 1 / BLOCKS_PER_ENTRY;
  }
}

/** A sum under way over a span: it covers what lies before `at`. */
export interface SpanProgress {
  at: Uint8Array;
  readonly summary: Summary;
  /** Younger records are left out; 0: none are. */
  readonly upTo: HybridTime;
  /** Entries that there are, with those that are left out. */
  seen: number;
}

const FIRST_KEY = new Uint8Array(0);

export function beginOf(span: KeySpan, upTo: HybridTime = 0): SpanProgress {
  return { at: span.from ?? FIRST_KEY, summary: new Summary(), upTo, seen: 0 };
}

/**
 * Summaries of a shard's entries, block by block in key order: the lower level of a hash tree whose
 * upper levels are summed up when they are asked for. A write only marks its block; the block is
 * read again when a summary needs it, so that writes cost next to nothing and an idle shard's sums
 * stand ready. Built the same way: at first one stale block covers all keys.
 *
 * Invariants
 * - The summary of a block that is not stale, with nothing of it among the touched keys, is the
 *   summary of what the state holds from its start up to the next block's.
 * - `#fresh` is the number of blocks that are not stale. At 0 a write has nothing to mark.
 */
export class FingerprintIndex {
  #blocks: Block[] = [staleBlock(FIRST_KEY)];
  #fresh = 0;
  #touched: Uint8Array[] = [];
  readonly #timeOf: TimeOf;

  constructor(timeOf: TimeOf = () => 0) {
    this.#timeOf = timeOf;
  }

  /** The key's entry has changed. */
  touch(key: Uint8Array): void {
    if (this.#fresh === 0) return;
    if (this.#touched.push(key) >= MAX_TOUCHED) this.#settleTouched();
  }

  get blocks(): number {
    return this.#blocks.length;
  }

  /** The sum of all that the state holds; undefined where some of it would have to be read first. */
  get whole(): Summary | undefined {
    if (this.#fresh < this.#blocks.length || this.#touched.length > 0) return undefined;
    const whole = new Summary();
    for (const { summary } of this.#blocks) whole.add(summary);
    return whole;
  }

  /**
   * Goes on with a sum. True: it covers the span. False: the budget is spent; call again in a later
   * step. What is written meanwhile behind `progress.at` is not seen, as if it had come later.
   */
  summarize(
    { to }: KeySpan,
    progress: SpanProgress,
    state: StateReader,
    budget: ScanBudget,
  ): boolean {
    this.#settleTouched();
    let index = this.#indexOf(progress.at);
    for (;;) {
      if (to !== undefined && Buffer.compare(progress.at, to) >= 0) return true;
      if (budget.isSpent) return false;
      const block = this.#blocks[index] as Block;
      if (progress.upTo > 0 && (block.stale || block.newest > progress.upTo)) {
        if (!this.#addOlder(index, to, progress, state, budget)) return true;
        index = this.#indexOf(progress.at);
        continue;
      }
      if (block.stale) {
        this.#refresh(index, state, budget);
        index = this.#indexOf(progress.at);
        continue;
      }
      const end = this.#blocks[index + 1]?.start;
      const isWhole = Buffer.compare(progress.at, block.start) === 0;
      const endsWithin = to !== undefined && (end === undefined || Buffer.compare(to, end) < 0);
      if (isWhole && !endsWithin) {
        progress.summary.add(block.summary);
        progress.seen += block.summary.count;
        budget.spendBlock();
      } else {
        const entries = readRun(state, progress.at, endsWithin ? to : end, budget);
        for (const { key, value } of entries) progress.summary.addEntry(key, value);
        progress.seen += entries.length;
      }
      if (endsWithin || end === undefined) return true;
      progress.at = end;
      index++;
    }
  }

  /**
   * Where a span can be cut into at most `parts` with about as many entries each, by the blocks as
   * they are known; none if it lies within one block.
   */
  cuts({ from, to }: KeySpan, parts: number): readonly Uint8Array[] {
    const first = this.#indexOf(from ?? FIRST_KEY) + 1;
    let last = first;
    let entries = 0;
    while (last < this.#blocks.length && isBelow((this.#blocks[last] as Block).start, to)) {
      entries += (this.#blocks[last - 1] as Block).summary.count;
      last++;
    }
    const inside = this.#blocks.slice(first, last);
    if (inside.length < parts) return inside.map(({ start }) => start);
    const cuts: Uint8Array[] = [];
    let passed = 0;
    for (const [offset, { start }] of inside.entries()) {
      passed += (this.#blocks[first + offset - 1] as Block).summary.count;
      if (passed * parts >= entries * (cuts.length + 1) && cuts.length < parts - 1)
        cuts.push(start);
    }
    return cuts;
  }

  /**
   * Goes on with a sum of what is not younger than its `upTo`, within one block: of a shard that is
   * written all the time nothing is summed up for later, since it would be stale by then. False: the
   * span ends there.
   */
  #addOlder(
    index: number,
    to: Uint8Array | undefined,
    progress: SpanProgress,
    state: StateReader,
    budget: ScanBudget,
  ): boolean {
    const block = this.#blocks[index] as Block;
    const end = this.#blocks[index + 1]?.start;
    const endsWithin = to !== undefined && (end === undefined || Buffer.compare(to, end) < 0);
    const { at, summary, upTo } = progress;
    const bound = endsWithin ? to : end;
    const { entries, more } = state.range(at, bound, BLOCK_BYTES, MAX_BLOCK_ENTRIES);
    budget.spend(entries);
    for (const { key, value } of entries) {
      if (this.#timeOf(value) <= upTo) summary.addEntry(key, value);
    }
    progress.seen += entries.length;
    if (more) {
      progress.at = keyAfter((entries.at(-1) as StateEntry).key);
      // It has grown too long to be one: spans are cut where blocks begin.
      if (block.stale) this.#blocks.splice(index + 1, 0, staleBlock(progress.at));
    }
    if (block.stale && Buffer.compare(at, block.start) === 0) block.summary.count = entries.length;
    if (more) return true;
    if (endsWithin || end === undefined) return false;
    progress.at = end;
    return true;
  }

  /** Reads a stale block; one that has become too large is cut, and its rest stays stale. */
  #refresh(index: number, state: StateReader, budget: ScanBudget): void {
    const block = this.#blocks[index] as Block;
    const end = this.#blocks[index + 1]?.start;
    const { entries, more } = state.range(block.start, end, BLOCK_BYTES, MAX_BLOCK_ENTRIES);
    budget.spend(entries);
    const kept = more && entries.length > BLOCK_ENTRIES ? BLOCK_ENTRIES : entries.length;
    block.summary.clear();
    block.newest = 0;
    block.bytes = 0;
    for (let at = 0; at < kept; at++) {
      const { key, value } = entries[at] as StateEntry;
      block.summary.addEntry(key, value);
      block.newest = Math.max(block.newest, this.#timeOf(value));
      block.bytes += key.length + value.length;
    }
    block.stale = false;
    this.#fresh++;
    if (more) {
      const last = (entries[kept - 1] as StateEntry).key;
      const next = entries[kept]?.key;
      const start = next === undefined ? keyAfter(last) : separatorBetween(last, next);
      this.#blocks.splice(index + 1, 0, staleBlock(start));
    } else {
      this.#joinWithNext(index);
      if (index > 0) this.#joinWithNext(index - 1);
    }
  }

  /** What was taken out of a shard leaves small blocks behind. */
  #joinWithNext(index: number): void {
    const block = this.#blocks[index] as Block;
    const next = this.#blocks[index + 1];
    if (next === undefined || block.stale || next.stale) return;
    if (block.summary.count + next.summary.count > MERGED_ENTRIES) return;
    if (block.bytes + next.bytes > BLOCK_BYTES) return;
    block.summary.add(next.summary);
    block.newest = Math.max(block.newest, next.newest);
    block.bytes += next.bytes;
    this.#blocks.splice(index + 1, 1);
    this.#fresh--;
  }

  #settleTouched(): void {
    if (this.#touched.length === 0) return;
    for (const key of this.#touched) {
      const block = this.#blocks[this.#indexOf(key)] as Block;
      if (!block.stale) this.#fresh--;
      block.stale = true;
    }
    this.#touched = [];
    if (this.#fresh > this.#blocks.length * FEW_FRESH) return;
    for (const block of this.#blocks) block.stale = true;
    this.#fresh = 0;
  }

  /** Of the block that covers the key: the last one that does not start above it. */
  #indexOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (Buffer.compare((this.#blocks[middle] as Block).start, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function staleBlock(start: Uint8Array): Block {
  return { start, summary: new Summary(), stale: true, newest: 0, bytes: 0 };
}

function isBelow(key: Uint8Array, to: Uint8Array | undefined): boolean {
  return to === undefined || Buffer.compare(key, to) < 0;
}

/** All of a part of one block: it is bounded, whatever the budget. */
function readRun(
  state: StateReader,
  from: Uint8Array,
  to: Uint8Array | undefined,
  budget: ScanBudget,
): readonly StateEntry[] {
  const { entries } = state.range(from, to, Number.MAX_SAFE_INTEGER);
  budget.spend(entries);
  return entries;
}
