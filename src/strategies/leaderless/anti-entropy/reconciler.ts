import type { StateReader } from "../../../core/contracts/machine.ts";
import type { StateEntry } from "../../../core/contracts/storage.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { keyText } from "../../../core/model/key-text.ts";
import { keyAfter } from "../../../core/model/keys.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "../planted-bugs.ts";
import { keyRecord } from "../record.ts";
import { type KeySpan, Summary, separatorBetween, summaryOfEntry } from "./fingerprint.ts";
import {
  beginOf,
  FingerprintIndex,
  type ScanBudget,
  type SpanProgress,
  type TimeOf,
} from "./fingerprint-index.ts";
import type { ReconcileDraft } from "./reconcile-draft.ts";
import type { ReconcileMessage } from "./reconcile-message.ts";

/** A span with no more entries is told entry by entry: a key and 8 bytes each. */
const LISTED_ENTRIES = 4;
const PARTS = 16;
/** A span with no more entries is cut by its entries, a larger one by the index's blocks. */
const CUT_BY_ENTRIES = 256;
/** Nor is one with more bytes than that read at once, if it is of several blocks. */
const CUT_BYTES = 512 * 1024;
const RUN_ENTRIES = 64;
const RUN_BYTES = 64 * 1024;
/** Work that peers may lay up here. What is beyond is dropped: the next round finds it again. */
const MAX_TASKS = 1_024;
const WHOLE: KeySpan = Object.freeze({ from: undefined, to: undefined });

type Task = {
  readonly peer: NodeId;
  /** What is younger is not compared; 0: everything is. */
  readonly upTo: HybridTime;
} & (
  | {
      readonly type: "compare";
      readonly span: KeySpan;
      readonly theirs: Summary;
      readonly round: number;
      readonly progress: SpanProgress;
    }
  | { readonly type: "begin"; readonly round: number; readonly progress: SpanProgress }
  | { readonly type: "summarize"; readonly span: KeySpan; readonly progress: SpanProgress }
  | {
      readonly type: "list";
      readonly span: KeySpan;
      at: Uint8Array | undefined;
      /** What the peer holds of the span and was not met here yet. */
      readonly theirs: Map<string, { readonly key: Uint8Array; readonly summary: Summary }>;
    }
  | { readonly type: "wants"; readonly keys: readonly Uint8Array[]; at: number }
);

type IsYounger = (record: Uint8Array) => boolean;

const NOTHING_IS: IsYounger = () => false;

/**
 * Makes a replica's entries equal to its peers' by range-based set reconciliation (Meyer,
 * "Range-Based Set Reconciliation", 2023): two sides compare summaries of a span, cut it where they
 * differ, and tell entry by entry what a small span holds. Both then have the merge of the two, and
 * what went over the wire grows with what differed, times the logarithm of what is held.
 *
 * Only reads: records that come in are merged by the replica. Work is cut into steps by a budget;
 * there is no state but the tasks under way, so that anything may be lost.
 */
export class Reconciler {
  readonly index: FingerprintIndex;
  readonly #planted: PlantedReplicaBugs;
  readonly #timeOf: TimeOf;
  readonly #tasks: Task[] = [];
  /** Tasks that were dropped because too many waited. */
  dropped = 0;

  constructor(timeOf: TimeOf = () => 0, planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS) {
    this.#planted = planted;
    this.index = new FingerprintIndex(timeOf);
    this.#timeOf = timeOf;
  }

  get isIdle(): boolean {
    return this.#tasks.length === 0;
  }

  /** Lays up what a message asks for; its records are the replica's affair. */
  take(peer: NodeId, message: ReconcileMessage): void {
    const { upTo } = message;
    for (const { span, summary } of message.spans) {
      this.#add({
        type: "compare",
        ...{ peer, upTo, span },
        theirs: summary,
        round: message.requestId,
        progress: beginOf(span, upTo),
      });
    }
    for (const { span, entries } of message.lists) {
      const theirs = new Map(entries.map((entry) => [keyText(entry.key), entry]));
      this.#add({ type: "list", peer, upTo, span, at: span.from, theirs });
    }
    if (message.wants.length > 0) {
      this.#add({ type: "wants", peer, upTo, keys: message.wants, at: 0 });
    }
  }

  /** The shard is to be summed up for the peer, but for what is younger: a round begins with that. */
  begin(peer: NodeId, round: number, upTo: HybridTime = 0): void {
    this.#add({ type: "begin", peer, upTo, round, progress: beginOf(WHOLE, upTo) });
  }

  /** What is held of a span is to be summed up for the peer, who answers if it holds something else. */
  beginSpan(peer: NodeId, span: KeySpan): void {
    this.#add({ type: "summarize", peer, upTo: 0, span, progress: beginOf(span) });
  }

  /** The peer is somebody else now, or out of reach: nothing waits for it any more. */
  forget(peer: NodeId): void {
    const others = this.#tasks.filter((task) => task.peer !== peer);
    this.#tasks.splice(0, this.#tasks.length, ...others);
  }

  /** What the next task's message is for; undefined: there is none. */
  get next(): Pick<Task, "peer" | "upTo"> | undefined {
    return this.#tasks[0];
  }

  /** Works on the first tasks, as long as they are for the draft, within the budget. */
  work(state: StateReader, budget: ScanBudget, draft: ReconcileDraft, maxBytes: number): void {
    while (!budget.isSpent && draft.bytes < maxBytes && !draft.isFull) {
      const task = this.#tasks[0];
      if (task?.peer !== draft.peer || task.upTo !== draft.upTo) return;
      if (!this.#advance(task, state, budget, draft)) return;
      this.#tasks.shift();
    }
  }

  /** True: the task is done. */
  #advance(task: Task, state: StateReader, budget: ScanBudget, draft: ReconcileDraft): boolean {
    switch (task.type) {
      case "begin":
        if (!draft.isEmpty) return false;
        if (!this.index.summarize(WHOLE, task.progress, state, budget)) return false;
        draft.beginRound(task.round, WHOLE, task.progress.summary);
        return true;
      case "summarize":
        if (!this.index.summarize(task.span, task.progress, state, budget)) return false;
        draft.addSpan(task.span, task.progress.summary);
        return true;
      case "compare": {
        if (!this.index.summarize(task.span, task.progress, state, budget)) return false;
        const mine = task.progress.summary;
        if (!mine.equals(task.theirs)) this.#answer(task, state, budget, draft);
        else if (task.round > 0) draft.addSettled(task.round);
        return true;
      }
      case "list":
        return tellDifferences(task, state, budget, draft, this.#timeOf);
      case "wants":
        return sendWanted(task, state, budget, draft);
    }
  }

  /** The span differs: say more of it. */
  #answer(
    { peer, upTo, span, theirs, progress }: Extract<Task, { type: "compare" }>,
    state: StateReader,
    budget: ScanBudget,
    draft: ReconcileDraft,
  ): void {
    const isYounger = this.#isYounger(upTo);
    if (theirs.count === 0) {
      this.#add({ type: "list", peer, upTo, span, at: span.from, theirs: new Map() });
    } else {
      const rest =
        progress.seen <= LISTED_ENTRIES
          ? this.#list(span, state, budget, draft, isYounger)
          : this.#cut(span, progress.seen, state, budget, draft, isYounger);
      for (const part of rest) {
        this.#add({ type: "summarize", peer, upTo, span: part, progress: beginOf(part, upTo) });
      }
    }
  }

  #list(...asked: Parameters<typeof tellList>): readonly KeySpan[] {
    const rest = tellList(...asked);
    return this.#planted.restOfSpanUntold === true ? [] : rest;
  }

  /** Tells of a span part by part, as far as it is read; answers the parts that are to be summed up. */
  #cut(
    span: KeySpan,
    count: number,
    state: StateReader,
    budget: ScanBudget,
    draft: ReconcileDraft,
    isYounger: IsYounger,
  ): readonly KeySpan[] {
    if (count > CUT_BY_ENTRIES) return partsOf(span, this.index.cuts(span, PARTS));
    const { entries, more } = state.range(span.from, span.to, CUT_BYTES);
    budget.spend(entries);
    if (!more) {
      cutByEntries(span, count, entries, draft, isYounger);
      return [];
    }
    const cuts = this.index.cuts(span, PARTS);
    if (cuts.length > 0) return partsOf(span, cuts);
    const to = keyAfter((entries.at(-1) as StateEntry).key);
    cutByEntries({ from: span.from, to }, entries.length, entries, draft, isYounger);
    return [{ from: to, to: span.to }];
  }

  #isYounger(upTo: HybridTime): IsYounger {
    return upTo === 0 ? NOTHING_IS : (record) => this.#timeOf(record) > upTo;
  }

  #add(task: Task): void {
    if (this.#tasks.length >= MAX_TASKS) this.dropped++;
    else this.#tasks.push(task);
  }
}

/** As far as it is read; answers what is left of the span. */
function tellList(
  span: KeySpan,
  state: StateReader,
  budget: ScanBudget,
  draft: ReconcileDraft,
  isYounger: IsYounger,
): readonly KeySpan[] {
  const { entries, more } = state.range(span.from, span.to, RUN_BYTES, RUN_ENTRIES);
  budget.spend(entries);
  const last = entries.at(-1)?.key;
  const to = more && last !== undefined ? keyAfter(last) : span.to;
  const compared = entries.filter(({ value }) => !isYounger(value));
  draft.addList({
    span: { from: span.from, to },
    entries: compared.map(({ key, value }) => ({ key, summary: summaryOfEntry(key, value) })),
  });
  return to === span.to ? [] : [{ from: to, to: span.to }];
}

function cutByEntries(
  span: KeySpan,
  count: number,
  entries: readonly StateEntry[],
  draft: ReconcileDraft,
  isYounger: IsYounger,
): void {
  const parts = Math.min(PARTS, Math.ceil(count / LISTED_ENTRIES));
  const perPart = Math.ceil(count / parts);
  let from = span.from;
  for (let first = 0; first < entries.length; first += perPart) {
    const members = entries.slice(first, first + perPart);
    const next = entries[first + perPart]?.key;
    const last = (members.at(-1) as StateEntry).key;
    const to = next === undefined ? span.to : separatorBetween(last, next);
    const summary = new Summary();
    for (const { key, value } of members) if (!isYounger(value)) summary.addEntry(key, value);
    draft.addSpan({ from, to }, summary);
    from = to;
  }
}

function partsOf({ from, to }: KeySpan, cuts: readonly Uint8Array[]): readonly KeySpan[] {
  const bounds = [from, ...cuts, to];
  return cuts
    .map((_, at) => ({ from: bounds[at], to: bounds[at + 1] }))
    .concat([{ from: bounds[cuts.length], to }]);
}

/** Against what the peer has listed: sends what it lacks or holds otherwise, asks for the rest. */
function tellDifferences(
  task: Extract<Task, { type: "list" }>,
  state: StateReader,
  budget: ScanBudget,
  draft: ReconcileDraft,
  timeOf: TimeOf,
): boolean {
  const { entries, more } = state.range(task.at, task.span.to, RUN_BYTES, RUN_ENTRIES);
  budget.spend(entries);
  for (const { key, value } of entries) {
    const text = keyText(key);
    const theirs = task.theirs.get(text);
    task.theirs.delete(text);
    // It may have left out its own, too.
    if (theirs === undefined && task.upTo > 0 && timeOf(value) > task.upTo) continue;
    if (theirs?.summary.equals(summaryOfEntry(key, value)) === true) continue;
    draft.addRecord(keyRecord(key, value));
  }
  const last = entries.at(-1)?.key;
  if (more && last !== undefined) {
    task.at = keyAfter(last);
    return false;
  }
  for (const { key } of task.theirs.values()) draft.addWant(key);
  return true;
}

function sendWanted(
  task: Extract<Task, { type: "wants" }>,
  state: StateReader,
  budget: ScanBudget,
  draft: ReconcileDraft,
): boolean {
  while (task.at < task.keys.length && !budget.isSpent && draft.bytes < RUN_BYTES) {
    const key = task.keys[task.at++] as Uint8Array;
    const value = state.get(key);
    if (value === undefined) continue;
    budget.spend([{ key, value }]);
    draft.addRecord(keyRecord(key, value));
  }
  return task.at >= task.keys.length;
}
