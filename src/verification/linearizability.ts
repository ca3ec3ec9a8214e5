import { type HistoryOperation, OPEN_ENDED, partitionByKey } from "./history.ts";

/** What a single copy would do, one operation at a time. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** The state after it; undefined if it cannot have this output here. Unknown outputs always can. */
  step(
    state: State,
    input: Input,
    output: Output | undefined,
  ): { readonly state: State } | undefined;
  /** Equal for equal states alone. */
  nameOf(state: State): string;
}

export type Verdict = "linearizable" | "violation" | "undecided";

export interface Judgement<Input, Output> {
  /** `undecided`: the bound of steps was reached first. */
  readonly verdict: Verdict;
  readonly steps: number;
  /** The longest order found that is legal so far: where a violation is, it is right behind it. */
  readonly longest: readonly HistoryOperation<Input, Output>[];
}

export interface CheckOptions {
  /** Bounded by work and not by time, so that a verdict can be repeated. Default 5,000,000. */
  readonly maxSteps?: number;
}

const DEFAULT_MAX_STEPS = 5_000_000;
const NONE = -1;

/**
 * Whether the operations can be put into one order that the model allows and that keeps every
 * operation between its call and its return. The search of Wing and Gong ("Testing and Verifying
 * Concurrent Objects", 1993) with Lowe's memory of (done, state) pairs that lead nowhere ("Testing
 * for Linearizability", 2017).
 */
export function checkLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
  options: CheckOptions = {},
): Judgement<Input, Output> {
  return new Search(model, history, options.maxSteps ?? DEFAULT_MAX_STEPS).run();
}

/** Each key alone, which decides about all of them together (Herlihy and Wing 1990, locality). */
export function checkLinearizablePerKey<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
  options: CheckOptions = {},
): ReadonlyMap<string, Judgement<Input, Output>> {
  const judgements = new Map<string, Judgement<Input, Output>>();
  for (const [key, part] of partitionByKey(history)) {
    judgements.set(key, checkLinearizable(model, part, options));
  }
  return judgements;
}

/**
 * Calls and returns form a doubly linked list in the order of events: entry 2i is the call of
 * operation i, 2i + 1 its return. An operation that has been placed is unlinked, so that the walk
 * from the head meets exactly the operations that may come next: those called before the first
 * return that is still there.
 */
class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #history: readonly HistoryOperation<Input, Output>[];
  readonly #maxSteps: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Index of the sentinel in front of the first entry. */
  readonly #head: number;
  readonly #done: Uint32Array;
  readonly #deadEnds = new Set<string>();
  readonly #placed: { readonly operation: number; readonly before: State }[] = [];
  #longest: readonly number[] = [];
  #steps = 0;

  constructor(
    model: SequentialModel<State, Input, Output>,
    history: readonly HistoryOperation<Input, Output>[],
    maxSteps: number,
  ) {
    this.#model = model;
    this.#history = history;
    this.#maxSteps = maxSteps;
    this.#head = history.length * 2;
    this.#next = new Int32Array(this.#head + 1).fill(NONE);
    this.#previous = new Int32Array(this.#head + 1).fill(NONE);
    this.#done = new Uint32Array(Math.ceil(history.length / 32));
    this.#link();
  }

  run(): Judgement<Input, Output> {
    let state = this.#model.initial;
    let entry = this.#next[this.#head] as number;
    // Returns of open-ended operations are not in the list: what is left then may be left out.
    while (this.#returnsLeft > 0) {
      if (++this.#steps > this.#maxSteps) return this.#judge("undecided");
      if (entry !== NONE && entry % 2 === 0) {
        const operation = entry / 2;
        const stepped = this.#tryPlace(operation, state);
        if (stepped === undefined) {
          entry = this.#next[entry] as number;
        } else {
          this.#placed.push({ operation, before: state });
          state = stepped.state;
          if (this.#placed.length > this.#longest.length) {
            this.#longest = this.#placed.map((each) => each.operation);
          }
          entry = this.#next[this.#head] as number;
        }
        continue;
      }
      // A return whose operation was not placed, or the end: nothing else may come next.
      const last = this.#placed.pop();
      if (last === undefined) return this.#judge("violation");
      this.#putBack(last.operation);
      state = last.before;
      entry = this.#next[last.operation * 2] as number;
    }
    return this.#judge("linearizable");
  }

  #returnsLeft = 0;

  #link(): void {
    const events: { readonly entry: number; readonly at: number }[] = [];
    for (const [index, { calledAt, returnedAt }] of this.#history.entries()) {
      events.push({ entry: index * 2, at: calledAt });
      if (returnedAt === OPEN_ENDED) continue;
      events.push({ entry: index * 2 + 1, at: returnedAt });
      this.#returnsLeft++;
    }
    // Operations that touch at one place overlap: calls first.
    events.sort((a, b) => a.at - b.at || (a.entry % 2) - (b.entry % 2));
    let before = this.#head;
    for (const { entry } of events) {
      this.#next[before] = entry;
      this.#previous[entry] = before;
      before = entry;
    }
  }

  #tryPlace(operation: number, state: State): { readonly state: State } | undefined {
    const { input, output } = this.#history[operation] as HistoryOperation<Input, Output>;
    const stepped = this.#model.step(state, input, output);
    if (stepped === undefined) return undefined;
    this.#flip(operation);
    const name = this.#nameOf(stepped.state);
    if (this.#deadEnds.has(name)) {
      this.#flip(operation);
      return undefined;
    }
    // Tried once is tried for all: if it leads anywhere, the search ends there.
    this.#deadEnds.add(name);
    this.#unlink(operation * 2);
    if (this.#returns(operation)) {
      this.#unlink(operation * 2 + 1);
      this.#returnsLeft--;
    }
    return stepped;
  }

  #putBack(operation: number): void {
    this.#flip(operation);
    // In the reverse order of unlinking, so that the neighbours are those of then.
    if (this.#returns(operation)) {
      this.#relink(operation * 2 + 1);
      this.#returnsLeft++;
    }
    this.#relink(operation * 2);
  }

  #returns(operation: number): boolean {
    return (this.#history[operation] as HistoryOperation<Input, Output>).returnedAt !== OPEN_ENDED;
  }

  #flip(operation: number): void {
    const word = operation >>> 5;
    this.#done[word] = ((this.#done[word] as number) ^ (1 << (operation & 31))) >>> 0;
  }

  /**
   * Of the set of placed operations and the state, without a loss. All operations below some
   * index are placed and few above it are, so the words in between say it all.
   */
  #nameOf(state: State): string {
    const done = this.#done;
    let from = 0;
    while (from < done.length && done[from] === 0xffff_ffff) from++;
    let to = done.length;
    while (to > from && done[to - 1] === 0) to--;
    let name = `${from}`;
    for (let word = from; word < to; word++) name += `,${(done[word] as number).toString(36)}`;
    return `${name}/${this.#model.nameOf(state)}`;
  }

  #unlink(entry: number): void {
    const previous = this.#previous[entry] as number;
    const next = this.#next[entry] as number;
    this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    const previous = this.#previous[entry] as number;
    const next = this.#next[entry] as number;
    this.#next[previous] = entry;
    if (next !== NONE) this.#previous[next] = entry;
  }

  #judge(verdict: Verdict): Judgement<Input, Output> {
    const longest = this.#longest.map((index) => this.#history[index]);
    return {
      verdict,
      steps: this.#steps,
      longest: longest as HistoryOperation<Input, Output>[],
    };
  }
}
