import { type HistoryOperation, OPEN_ENDED } from "./operation.ts";
import type { SequentialModel } from "./sequential-model.ts";

/** A part of the history that is illegal by itself. */
export interface Counterexample<Input, Output> {
  /**
   * In the order of their calls. If `minimal`, no one of them can be left out with what may be due
   * to it, save writes that were called after the violation: they only tell where the violating
   * answer may come from.
   */
  readonly operations: readonly HistoryOperation<Input, Output>[];
  /** The one with whose answer it became illegal: without it, the rest has an order. */
  readonly violated: HistoryOperation<Input, Output>;
  /** False: the bound of steps ended the shrinking early, or none was asked for. */
  readonly minimal: boolean;
}

export interface ShrinkOptions<State, Input, Output> {
  readonly model: SequentialModel<State, Input, Output>;
  readonly isIllegal: (operations: readonly HistoryOperation<Input, Output>[]) => {
    readonly illegal: boolean;
    readonly steps: number;
  };
  /** For all tries together. */
  readonly maxSteps: number;
}

/**
 * Fewer operations of an illegal history that are illegal still. Only what takes no cause away is
 * left out: a read, or a write together with every operation whose answer may be due to it, and
 * so on for the conditional writes among those. So if the whole history had a legal order, what is
 * left would have one too, and the counterexample is one of the whole history.
 *
 * First the shortest beginning that is illegal (a beginning of a legal history is legal), then
 * halves, quarters and so on down to single operations (Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input", 2002).
 */
export function shrink<State, Input, Output>(
  history: readonly HistoryOperation<Input, Output>[],
  options: ShrinkOptions<State, Input, Output>,
): Counterexample<Input, Output> {
  return new Shrinking(history, options).run();
}

class Shrinking<State, Input, Output> {
  readonly #options: ShrinkOptions<State, Input, Output>;
  readonly #ends: readonly number[];
  readonly #all: readonly HistoryOperation<Input, Output>[];
  #left: readonly HistoryOperation<Input, Output>[];
  /** The beginning ends here: what returns later is open, what is called later is not there. */
  #end: number;
  #steps = 0;

  constructor(
    history: readonly HistoryOperation<Input, Output>[],
    options: ShrinkOptions<State, Input, Output>,
  ) {
    this.#options = options;
    this.#all = [...history].sort((a, b) => a.calledAt - b.calledAt);
    this.#left = this.#all;
    this.#ends = history
      .map(({ returnedAt }) => returnedAt)
      .filter((at) => at !== OPEN_ENDED)
      .sort((a, b) => a - b);
    this.#end = this.#ends.at(-1) ?? OPEN_ENDED;
  }

  run(): Counterexample<Input, Output> {
    this.#cutEnd();
    for (let size = this.#left.length >> 1; size > 0 && !this.#spent; size >>= 1) {
      // Again at size 1 until nothing can go: a write may go once its reads are gone.
      while (this.#dropGroups(size) && size === 1 && !this.#spent);
    }
    const { model } = this.#options;
    const returned = this.#left.filter(({ returnedAt }) => returnedAt === this.#end);
    // The return of a write narrows nothing: what was legal before is legal with it at the end.
    const violated = returned.find(({ input }) => model.isRead(input)) ?? returned[0];
    if (violated === undefined) throw new Error(`nothing returned at ${this.#end}`);
    const later = this.#all.filter(
      (each) =>
        each.calledAt > this.#end && !model.isRead(each.input) && model.mayHaveSeen(violated, each),
    );
    return { operations: [...this.#left, ...later], violated, minimal: !this.#spent };
  }

  get #spent(): boolean {
    return this.#steps >= this.#options.maxSteps;
  }

  #cutEnd(): void {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high && !this.#spent) {
      const middle = (low + high) >> 1;
      const end = this.#ends[middle] as number;
      if (this.#isIllegal(this.#left, end)) high = middle;
      else low = middle + 1;
    }
    this.#end = this.#ends[high] as number;
    this.#left = this.#left.filter((operation) => this.#matters(operation, this.#end));
  }

  /** Whether anything went. */
  #dropGroups(size: number): boolean {
    const before = this.#left.length;
    for (let from = 0; from < this.#left.length && !this.#spent; ) {
      const without = this.#without(new Set(this.#left.slice(from, from + size)));
      const shorter = without.length < this.#left.length;
      if (shorter && this.#isIllegal(without, this.#end)) this.#keep(without);
      else from += size;
    }
    return this.#left.length < before;
  }

  /**
   * The beginning gets shorter once nothing that is left returns at its end, as may be where a
   * bound ended the judgement of a shorter one: what is open at the last return does not matter.
   */
  #keep(operations: readonly HistoryOperation<Input, Output>[]): void {
    const ends = operations.map(({ returnedAt }) => returnedAt).filter((at) => at <= this.#end);
    this.#end = ends.reduce((last, at) => Math.max(last, at), Number.NEGATIVE_INFINITY);
    this.#left = operations.filter((operation) => this.#matters(operation, this.#end));
  }

  /** Without the group, and without whatever may have its answer from what its writes wrote. */
  #without(group: ReadonlySet<HistoryOperation<Input, Output>>) {
    const { model } = this.#options;
    let left = this.#left.filter((each) => !group.has(each));
    let gone = [...group];
    while (gone.length > 0) {
      const writes = gone.filter(({ input }) => !model.isRead(input));
      const follows = (each: HistoryOperation<Input, Output>) =>
        writes.some((write) => model.mayHaveSeen(each, write));
      gone = left.filter(follows);
      const following = new Set(gone);
      left = left.filter((each) => !following.has(each));
    }
    return left;
  }

  #isIllegal(operations: readonly HistoryOperation<Input, Output>[], end: number): boolean {
    const beginning = operations
      .filter((operation) => this.#matters(operation, end))
      .map((operation) => (operation.returnedAt > end ? opened(operation) : operation));
    const { illegal, steps } = this.#options.isIllegal(beginning);
    this.#steps += steps + 1;
    return illegal;
  }

  #matters({ input, calledAt, returnedAt }: HistoryOperation<Input, Output>, end: number): boolean {
    return calledAt <= end && (returnedAt <= end || !this.#options.model.isRead(input));
  }
}

function opened<Input, Output>(
  operation: HistoryOperation<Input, Output>,
): HistoryOperation<Input, Output> {
  const { output: _output, ...open } = operation;
  return { ...open, returnedAt: OPEN_ENDED };
}
