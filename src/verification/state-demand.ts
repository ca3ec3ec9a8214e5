import type { HistoryOperation } from "./operation.ts";
import type { SequentialModel } from "./sequential-model.ts";

const NONE = -1;

/**
 * Which states the reads that are left still need, and how many of the operations that are left
 * bring them about. A state that somebody needs and nobody brings back must not be left.
 *
 * Without a model's `stateSeenBy` and `stateAfter` it knows nothing, and says so.
 */
export class StateDemand {
  /** By operation: what a read needs, what another brings about. */
  readonly #stateOf: Int32Array;
  readonly #isRead: readonly boolean[];
  /** By state: reads and others that are left. */
  readonly #reads: number[] = [];
  readonly #sources: number[] = [];

  constructor(isRead: readonly boolean[]) {
    this.#isRead = isRead;
    this.#stateOf = new Int32Array(isRead.length).fill(NONE);
  }

  static of<State, Input, Output>(
    model: SequentialModel<State, Input, Output>,
    history: readonly HistoryOperation<Input, Output>[],
    isRead: readonly boolean[],
    numberOf: (state: State) => number,
  ): StateDemand {
    const demand = new StateDemand(isRead);
    const { stateSeenBy, stateAfter } = model;
    if (stateSeenBy === undefined || stateAfter === undefined) return demand;
    for (const [index, { input, output }] of history.entries()) {
      const seen = output === undefined ? undefined : stateSeenBy(input, output);
      const state = isRead[index] ? seen : stateAfter(input);
      if (state === undefined) continue;
      demand.#stateOf[index] = numberOf(state.state);
      demand.putBack(index);
    }
    return demand;
  }

  place(operation: number): void {
    this.#change(operation, -1);
  }

  putBack(operation: number): void {
    this.#change(operation, 1);
  }

  /** Whether the state is lost for those who need it once it is left. */
  forbidsLeaving(state: number): boolean {
    return (this.#reads[state] ?? 0) > 0 && (this.#sources[state] ?? 0) === 0;
  }

  #change(operation: number, by: number): void {
    const state = this.#stateOf[operation] as number;
    if (state === NONE) return;
    const counts = this.#isRead[operation] ? this.#reads : this.#sources;
    counts[state] = (counts[state] ?? 0) + by;
  }
}
