import type { HistoryOperation } from "./operation.ts";

/** What a single copy would do, one operation at a time. Pure. */
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
  /** What it touches. Operations that share no key, not even through others, are judged apart. */
  keysOf(input: Input): readonly string[];
  /** True only if it leaves every state as it is. Such an operation is placed as soon as it fits. */
  isRead(input: Input): boolean;
  /**
   * Whether the output of an operation, a read or a conditional write, may be due to the write. A
   * write can be left out of a counterexample only when every operation of this kind is.
   */
  mayHaveSeen(
    answered: HistoryOperation<Input, Output>,
    write: HistoryOperation<Input, Output>,
  ): boolean;
  /**
   * The only state in which a read can have this output, where there is just one. Together with
   * `stateAfter` it shows a search early what leads nowhere.
   */
  stateSeenBy?(input: Input, output: Output): { readonly state: State } | undefined;
  /** The state after an operation that is no read; the same whatever was before. */
  stateAfter?(input: Input): { readonly state: State };
  /**
   * The verdict on operations with connected keys, where it can be told without a search; called
   * after `simplify`.
   */
  decide?(history: readonly HistoryOperation<Input, Output>[]): "legal" | "illegal" | undefined;
  /** A history that is legal exactly if this one is, and easier to judge. */
  simplify?(
    history: readonly HistoryOperation<Input, Output>[],
  ): readonly HistoryOperation<Input, Output>[];
}
