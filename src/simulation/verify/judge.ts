import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import { stampOfVersionToken } from "../../core/model/version-token.ts";
import {
  checkLinearizable,
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkRegularRegister,
  checkWritesFollowReads,
  describeClient,
  describeOperation,
  type KeyValueOperation,
  OPEN_ENDED,
  registerModel,
  type SessionResult,
  type Verdict,
  writesOf,
} from "../../verification/index.ts";
import { nameOfValue } from "../../verification/register-values.ts";
import type { LevelPair } from "./promised-checks.ts";

/** What one check says of one history. */
export interface Judgement {
  readonly verdict: Verdict;
  /** Operations that were judged. */
  readonly judged: number;
  readonly broken?: BrokenPromise;
}

/** What is wrong, as a sentence and as the operations that show it. */
export interface BrokenPromise {
  readonly sentence: string;
  readonly operations: readonly KeyValueOperation[];
  readonly violated: KeyValueOperation | undefined;
}

/** Bounds the search of one key, so that a history of many keys stays a matter of seconds. */
export const MAX_STEPS = 500_000;

/** Of registers: those that need nothing but the history. */
export const HISTORY_JUDGES: Readonly<
  Record<
    Exclude<
      HistoryCheck,
      | "no-lost-write"
      | "no-silent-loss"
      | "sees-acknowledged"
      | "every-increment-counts"
      | "operations-add-up"
      | "conditional-writes"
      | "one-winner-per-version"
      | "refused-leaves-nothing"
      | "all-or-nothing"
      | "batch-per-key"
    >,
    (history: readonly KeyValueOperation[]) => Judgement
  >
> = Object.freeze({
  linearizable,
  regular,
  "read-your-writes": (history) => session(checkReadYourWrites(history)),
  "monotonic-reads": (history) => session(checkMonotonicReads(history)),
  "monotonic-writes": (history) => session(checkMonotonicWrites(history)),
  "writes-follow-reads": (history) => session(checkWritesFollowReads(history)),
  "truthful-outcome": truthful,
});

/** Those that compare versions, which have to be stamps for that. */
export const SESSION_CHECKS: readonly HistoryCheck[] = Object.freeze([
  "read-your-writes",
  "monotonic-reads",
  "monotonic-writes",
  "writes-follow-reads",
]);

/** Whether the versions of the history can be compared. */
export function hasStamps(history: readonly KeyValueOperation[]): boolean {
  return history.every(
    ({ output }) =>
      output?.version === undefined || stampOfVersionToken(output.version) !== undefined,
  );
}

/**
 * Of keys that are used at these levels: reads that reached theirs, and all writes. A write that
 * did not reach its level, or says that something newer stands in its place (`SUPERSEDED`), may be
 * seen, and nothing is demanded of when.
 */
export function atPair(
  history: readonly KeyValueOperation[],
  { write, read }: LevelPair,
): readonly KeyValueOperation[] {
  return history.flatMap((operation): readonly KeyValueOperation[] => {
    const { input, achieved, level, outcome } = operation;
    if (outcome !== "applied") return [operation];
    const isMet = achieved === level || isSynonym(level, achieved);
    if (input.type === "get") return isMet && level === read ? [operation] : [];
    if (isMet && level === write) return [operation];
    return [{ ...operation, outcome: "unknown", returnedAt: OPEN_ENDED }];
  });
}

/** `eventual` is answered as what it stands for. */
function isSynonym(asked: string | undefined, achieved: string | undefined): boolean {
  return asked === "eventual" && achieved === "one";
}

function linearizable(history: readonly KeyValueOperation[]): Judgement {
  const result = checkLinearizable(registerModel, history, { maxSteps: MAX_STEPS });
  const { verdict, operations: judged } = result;
  if (result.verdict !== "illegal") return { verdict, judged };
  const { operations, violated } = result.counterexample;
  const sentence = `${describeCall(violated)} fits nowhere: no order of these operations explains every answer.`;
  return { verdict, judged, broken: { sentence, operations, violated } };
}

function regular(history: readonly KeyValueOperation[]): Judgement {
  const { verdict, judged, violations } = checkRegularRegister(history);
  const [first] = violations;
  if (first === undefined) return { verdict, judged };
  const { read } = first;
  if (first.reason === "never-written") {
    const sentence = `${describeCall(read)} finds what nobody had written.`;
    return { verdict, judged, broken: { sentence, operations: [read], violated: read } };
  }
  const { found, overwrittenBy } = first;
  const operations = [...(found === undefined ? [] : [found]), overwrittenBy, read];
  const sentence = `${describeCall(read)} does not find what ${describeCall(overwrittenBy)} had written before, but something older.`;
  return { verdict, judged, broken: { sentence, operations, violated: read } };
}

function session({ verdict, judged, violations }: SessionResult): Judgement {
  const [first] = violations;
  if (first === undefined) return { verdict, judged };
  const { earlier, later } = first;
  const relation = later.input.type === "get" ? "is older than" : "is not newer than";
  const sentence = `${describeCall(later)} ${relation} ${describeCall(earlier)}, which its client had done before.`;
  return { verdict, judged, broken: { sentence, operations: [earlier, later], violated: later } };
}

/** A value that was seen, although every write of it was said not to be applied. */
function truthful(history: readonly KeyValueOperation[]): Judgement {
  const refused = new Map<string, KeyValueOperation>();
  const possible = new Set<string>();
  for (const operation of history) {
    for (const { key, value } of writesOf(operation.input)) {
      const name = JSON.stringify([key, nameOfValue(value)]);
      if (operation.outcome === "not-applied") refused.set(name, operation);
      else possible.add(name);
    }
  }
  let judged = 0;
  for (const read of history) {
    const { input, output } = read;
    if (input.type !== "get" || output === undefined) continue;
    judged += 1;
    const found = output.siblings ?? (output.value === undefined ? [] : [output.value]);
    for (const value of found) {
      const name = JSON.stringify([input.key, nameOfValue(value)]);
      const write = refused.get(name);
      if (write === undefined || possible.has(name)) continue;
      const sentence = `${describeCall(read)} finds what was said not to be applied.`;
      const broken = { sentence, operations: [write, read], violated: read };
      return { verdict: "illegal", judged, broken };
    }
  }
  return { verdict: "legal", judged };
}

export function describeCall(operation: KeyValueOperation): string {
  return `${describeOperation(operation)} by ${describeClient(operation)}`;
}
