import type { LogPosition } from "../../../core/model/ids.ts";

/** Entries from `from` on, up to the next run, are of `term`. */
interface TermRun {
  readonly from: number;
  readonly term: number;
}

/** What a shard's log held at some moment: which terms its entries were of. */
export interface LogPicture {
  /** Below it are only snapshots, which have everything that was committed. */
  readonly first: number;
  readonly last: number;
  readonly runs: readonly TermRun[];
}

/** Undefined where the picture has no entry. */
export function termAt({ first, last, runs }: LogPicture, index: number): number | undefined {
  if (index < first || index > last) return undefined;
  return runs.findLast(({ from }) => from <= index)?.term;
}

/** What changes a log, with the position that the node's log gave it. */
export type LogDeed =
  | {
      readonly type: "appended";
      readonly position: LogPosition;
      readonly index: number;
      readonly term: number;
    }
  | {
      readonly type: "truncated" | "reset";
      readonly position: LogPosition;
      /** Greatest index that is left, or that a snapshot stands for. */
      readonly last: number;
    };

/** What the log ended with when it was done. */
function endOf(deed: LogDeed): number {
  return deed.type === "appended" ? deed.index : deed.last;
}

/**
 * Which entries one replica of a shard has in its log, from what was done to that. A crash takes
 * deeds back, the last ones first: what the log has then is what those that are left make of it.
 */
export class ReplicaLog {
  #deeds: LogDeed[] = [];
  #first = 1;
  #last = 0;
  #runs: TermRun[] = [];

  get picture(): LogPicture {
    return { first: this.#first, last: this.#last, runs: [...this.#runs] };
  }

  /** Of the last entry; 0 before the first one, undefined if only a snapshot knows it. */
  get lastTerm(): number | undefined {
    if (this.#last >= this.#first) return this.#runs.at(-1)?.term;
    return this.#first === 1 ? 0 : undefined;
  }

  termAt(index: number): number | undefined {
    return termAt({ first: this.#first, last: this.#last, runs: this.#runs }, index);
  }

  add(deed: LogDeed): void {
    this.#deeds.push(deed);
    this.#do(deed);
  }

  /**
   * Deeds above the position have left no trace, nor have those that came after the log was found to
   * end with `lastIndex`.
   */
  fallBackTo(position: LogPosition, lastIndex?: number): void {
    const left = this.#deeds.filter((deed) => deed.position <= position);
    const isEnd = (deed: LogDeed) => lastIndex === undefined || endOf(deed) === lastIndex;
    const end = left.findLastIndex(isEnd);
    // Before the first deed the log was empty.
    if (end >= 0 || lastIndex === 0) left.length = end + 1;
    if (left.length === this.#deeds.length) return;
    this.#deeds = left;
    this.#first = 1;
    this.#last = 0;
    this.#runs = [];
    for (const deed of this.#deeds) this.#do(deed);
  }

  #do(deed: LogDeed): void {
    if (deed.type === "appended") {
      const { index, term } = deed;
      if (this.#runs.at(-1)?.term !== term || this.#last < this.#first) {
        this.#runs.push({ from: index, term });
      }
      this.#last = index;
      return;
    }
    this.#last = deed.last;
    if (deed.type === "reset") this.#first = deed.last + 1;
    while ((this.#runs.at(-1)?.from ?? 0) > deed.last) this.#runs.pop();
    if (deed.type === "reset") this.#runs = [];
  }
}
