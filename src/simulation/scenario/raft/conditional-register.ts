import type { HistoryOperation, SequentialModel } from "../../../verification/index.ts";

/**
 * What clients of a raft keyspace do with one key. Every value is written once, so that a version
 * and the value that was written with it name the same write.
 */
export type RaftInput =
  | { readonly type: "get"; readonly key: string }
  /** `value` undefined: a delete. */
  | { readonly type: "set"; readonly key: string; readonly value: string | undefined }
  /** Writes only where `expected` is there; undefined: where nothing is. */
  | {
      readonly type: "set-if";
      readonly key: string;
      readonly expected: string | undefined;
      readonly value: string | undefined;
    };

export interface RaftOutput {
  /** What a read found. */
  readonly value?: string;
  /** Of a conditional write: whether it was done. */
  readonly isDone?: boolean;
}

export type RaftOperation = HistoryOperation<RaftInput, RaftOutput>;

type State = string | undefined;

/** A register that can also be compared and set, as one copy would keep it. */
export const conditionalRegister: SequentialModel<State, RaftInput, RaftOutput> = Object.freeze({
  initial: undefined,
  step: (state: State, input: RaftInput, output: RaftOutput | undefined) => {
    if (input.type === "get") {
      return output === undefined || output.value === state ? { state } : undefined;
    }
    if (input.type === "set") return { state: input.value };
    const holds = state === input.expected;
    const isDone = output?.isDone ?? holds;
    if (isDone !== holds) return undefined;
    return { state: isDone ? input.value : state };
  },
  nameOf: (state: State) => state ?? "",
  keysOf: ({ key }: RaftInput) => [key],
  isRead: ({ type }: RaftInput) => type === "get",
  mayHaveSeen: (read: RaftOperation, write: RaftOperation) => {
    if (read.input.type !== "get" || write.input.type === "get") return false;
    return read.output?.value === write.input.value;
  },
});
