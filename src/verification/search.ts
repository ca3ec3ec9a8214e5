import { ConfigurationCache } from "./configuration-cache.ts";
import { EventList } from "./event-list.ts";
import type { HistoryOperation } from "./operation.ts";
import { PlacedSet } from "./placed-set.ts";
import type { SequentialModel } from "./sequential-model.ts";
import { StateDemand } from "./state-demand.ts";

const NONE = -1;

/** Bounds of work, not of time, so that a verdict can be repeated. */
export interface SearchBounds {
  readonly maxSteps: number;
  readonly maxCacheEntries: number;
}

export type SearchBound = "steps" | "cache-entries";

export type SearchOutcome<Input, Output> = { readonly steps: number } & (
  | {
      readonly verdict: "legal";
      /** An order that the model allows; it may leave out open-ended operations. */
      readonly order: readonly HistoryOperation<Input, Output>[];
    }
  | { readonly verdict: "illegal" }
  | { readonly verdict: "unknown"; readonly reason: SearchBound }
);

interface Placement<State> {
  readonly operation: number;
  readonly before: State;
  readonly numberBefore: number;
  /** No other choice at this place could do better. */
  readonly forced: boolean;
}

/**
 * Looks for an order of the operations that the model allows and that keeps every operation
 * between its call and its return: the search of Wing and Gong ("Testing and Verifying Concurrent
 * Objects", 1993, §4) with Lowe's memory of the (placed, state) pairs that lead nowhere ("Testing
 * for Linearizability", 2017, §5).
 *
 * A read that fits is placed at once and for good: it changes nothing, so that any order that goes
 * on from here goes on with this read in front as well.
 */
export class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #history: readonly HistoryOperation<Input, Output>[];
  readonly #bounds: SearchBounds;
  readonly #events: EventList;
  readonly #placed: PlacedSet;
  readonly #isRead: readonly boolean[];
  readonly #cache = new ConfigurationCache();
  readonly #stateNumbers = new Map<string, number>();
  readonly #order: Placement<State>[] = [];
  readonly #demand: StateDemand;
  #state: State;
  #stateNumber: number;
  #steps = 0;

  constructor(
    model: SequentialModel<State, Input, Output>,
    history: readonly HistoryOperation<Input, Output>[],
    bounds: SearchBounds,
  ) {
    this.#model = model;
    // In the order of the calls the set of placed operations has the fewest words in use.
    this.#history = [...history].sort((a, b) => a.calledAt - b.calledAt);
    this.#bounds = bounds;
    this.#events = new EventList(this.#history);
    this.#placed = new PlacedSet(history.length);
    this.#isRead = this.#history.map(({ input }) => model.isRead(input));
    const numberOf = (state: State): number => this.#numberOf(state);
    this.#demand = StateDemand.of(model, this.#history, this.#isRead, numberOf);
    this.#state = model.initial;
    this.#stateNumber = this.#numberOf(model.initial);
  }

  run(): SearchOutcome<Input, Output> {
    let candidate = this.#placeReads();
    while (this.#events.returnsLeft > 0) {
      if (this.#steps > this.#bounds.maxSteps) return this.#gaveUp("steps");
      if (this.#cache.size >= this.#bounds.maxCacheEntries) return this.#gaveUp("cache-entries");
      if (candidate === NONE) {
        const last = this.#takeBack();
        if (last === undefined) return { verdict: "illegal", steps: this.#steps };
        candidate = this.#events.after(last);
      } else if (this.#tryPlace(candidate)) {
        candidate = this.#placeReads();
      } else {
        candidate = this.#events.after(candidate);
      }
    }
    const order = this.#order.map(({ operation }) => this.#operation(operation));
    return { verdict: "legal", steps: this.#steps, order };
  }

  /** Every read that fits the state as it is. Gives the first operation that is left. */
  #placeReads(): number {
    for (let each = this.#events.first(); each !== NONE; ) {
      const after = this.#events.after(each);
      if (this.#isRead[each] && this.#step(each) !== undefined) {
        this.#place(each, this.#state, this.#stateNumber, true);
        // Its return may have been what stood behind it.
        each = after === NONE ? this.#events.first() : after;
      } else {
        each = after;
      }
    }
    return this.#events.first();
  }

  #tryPlace(operation: number): boolean {
    // Reads that fit are placed already.
    if (this.#isRead[operation]) return false;
    // What needs this state and does not fit yet would never fit again.
    if (this.#demand.forbidsLeaving(this.#stateNumber)) return false;
    const stepped = this.#step(operation);
    if (stepped === undefined) return false;
    this.#placed.add(operation);
    const { hash, words, from, to } = this.#placed;
    // Tried once is tried for all: if it leads anywhere, the search ends there.
    const number = this.#numberOf(stepped.state);
    const isNew = this.#cache.add(hash, number, words, from, to);
    this.#placed.remove(operation);
    if (isNew) this.#place(operation, stepped.state, number, false);
    return isNew;
  }

  #step(operation: number): { readonly state: State } | undefined {
    this.#steps += 1;
    const { input, output } = this.#operation(operation);
    return this.#model.step(this.#state, input, output);
  }

  #place(operation: number, after: State, number: number, forced: boolean): void {
    const [before, numberBefore] = [this.#state, this.#stateNumber];
    this.#order.push({ operation, before, numberBefore, forced });
    this.#state = after;
    this.#stateNumber = number;
    this.#demand.place(operation);
    this.#placed.add(operation);
    this.#events.lift(operation);
  }

  /** Up to and with the last real choice, which it gives; undefined if there is none. */
  #takeBack(): number | undefined {
    for (let last = this.#order.pop(); last !== undefined; last = this.#order.pop()) {
      this.#placed.remove(last.operation);
      this.#events.putBack(last.operation);
      this.#demand.putBack(last.operation);
      this.#state = last.before;
      this.#stateNumber = last.numberBefore;
      if (!last.forced) return last.operation;
    }
    return undefined;
  }

  #numberOf(state: State): number {
    const name = this.#model.nameOf(state);
    const known = this.#stateNumbers.get(name);
    if (known !== undefined) return known;
    const number = this.#stateNumbers.size;
    this.#stateNumbers.set(name, number);
    return number;
  }

  #operation(index: number): HistoryOperation<Input, Output> {
    return this.#history[index] as HistoryOperation<Input, Output>;
  }

  #gaveUp(reason: SearchBound): SearchOutcome<Input, Output> {
    return { verdict: "unknown", reason, steps: this.#steps };
  }
}
