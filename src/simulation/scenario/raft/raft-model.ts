import type { HistoryOperation, SequentialModel } from "../../../verification/index.ts";

/** One key's part of a write; `value` undefined: a delete. */
export interface RaftWrite {
  readonly key: string;
  readonly value: string | undefined;
}

/**
 * What clients of a raft keyspace do. Every value is written by one operation alone, so that a
 * version and the value that was written with it name the same write.
 */
export type RaftInput =
  | { readonly type: "get"; readonly key: string }
  | {
      readonly type: "write";
      /** Of different keys, all of them or none. */
      readonly writes: readonly RaftWrite[];
      /** Writes only where this is what the first key has; `value` undefined: where nothing is. */
      readonly condition?: { readonly value: string | undefined } | undefined;
      /** After which what was put is gone. */
      readonly ttlMs?: number | undefined;
    };

export interface RaftOutput {
  /** What a read found. */
  readonly value?: string;
  /** Of a conditional write: whether it was done. */
  readonly isDone?: boolean;
  /** Of the write, or of what a read found. */
  readonly version?: string;
}

export type RaftOperation = HistoryOperation<RaftInput, RaftOutput>;

/** An operation as it is judged: with the latest time at which it can have taken effect. */
export type JudgedInput = RaftInput & { readonly untilMs: number; readonly mayExpire: boolean };

/** From when on a value may be gone, by the world's clock. */
export type Expiries = ReadonlyMap<string, number>;

type State = Readonly<Record<string, string>>;

/**
 * Registers that can also be compared and set, as one copy would keep them. A value with a time to
 * live may be gone from its time on: that is decided when somebody first meets it gone, and it
 * stays gone. Whoever meets it before its time has met a wrong answer.
 */
export function registersWith(expiries: Expiries): SequentialModel<State, JudgedInput, RaftOutput> {
  const mayBeGone = (value: string | undefined, { untilMs }: JudgedInput): boolean =>
    value !== undefined && (expiries.get(value) ?? Number.POSITIVE_INFINITY) <= untilMs;
  return Object.freeze({
    initial: Object.freeze({}),
    step: (state: State, input: JudgedInput, output: RaftOutput | undefined) => {
      if (input.type === "get") {
        const held = state[input.key];
        if (output === undefined || output.value === held) return { state };
        if (output.value !== undefined || !mayBeGone(held, input)) return undefined;
        return { state: changed(state, [{ key: input.key, value: undefined }]) };
      }
      const { condition, writes } = input;
      if (condition === undefined) return { state: changed(state, writes) };
      const { key } = writes[0] as RaftWrite;
      const held = state[key];
      const isMet = held === condition.value;
      const isMetByExpiry = condition.value === undefined && mayBeGone(held, input);
      // An unknown one that does nothing here need not be placed at all.
      if (output?.isDone ?? true) {
        return isMet || isMetByExpiry ? { state: changed(state, writes) } : undefined;
      }
      if (!isMet) return { state };
      if (!mayBeGone(held, input)) return undefined;
      return { state: changed(state, [{ key, value: undefined }]) };
    },
    nameOf: (state: State) =>
      Object.keys(state)
        .sort()
        .map((key) => `${key}=${state[key]}`)
        .join(),
    keysOf: (input: JudgedInput) =>
      input.type === "get" ? [input.key] : input.writes.map(({ key }) => key),
    isRead: ({ type, mayExpire }: JudgedInput) => type === "get" && !mayExpire,
    mayHaveSeen: (
      { input: answered, output }: HistoryOperation<JudgedInput, RaftOutput>,
      { input: write }: HistoryOperation<JudgedInput, RaftOutput>,
    ) => {
      if (output === undefined || write.type === "get") return false;
      const mayBeFound = (fits: (value: string | undefined) => boolean, on: string) =>
        write.writes.some(({ key, value }) => key === on && fits(value));
      // Nothing is found behind a delete, and where a value has expired.
      const shows = (found: string | undefined) => (value: string | undefined) =>
        value === found || mayBeGone(value, answered);
      if (answered.type === "get") return mayBeFound(shows(output.value), answered.key);
      const { condition, writes } = answered;
      if (condition === undefined) return false;
      const { key } = writes[0] as RaftWrite;
      if (output.isDone ?? true) return mayBeFound(shows(condition.value), key);
      // It failed for any other value, or because its own had expired.
      return mayBeFound((value) => value !== condition.value || mayBeGone(value, answered), key);
    },
  });
}

function changed(state: State, writes: readonly RaftWrite[]): State {
  const after = { ...state };
  for (const { key, value } of writes) {
    if (value === undefined) delete after[key];
    else after[key] = value;
  }
  return after;
}
