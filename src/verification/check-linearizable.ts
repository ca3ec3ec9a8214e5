import { type HistoryOperation, OPEN_ENDED } from "./operation.ts";
import { type HistoryPart, partitionByKeys } from "./partition.ts";
import { Search, type SearchBound, type SearchBounds, type SearchOutcome } from "./search.ts";
import type { SequentialModel } from "./sequential-model.ts";
import { type Counterexample, shrink } from "./shrink.ts";

/**
 * - `legal`: there is an order that explains every answer.
 * - `illegal`: there is none; the counterexample says why.
 * - `unknown`: a bound was reached first, or there was nothing to judge by.
 */
export type Verdict = "legal" | "illegal" | "unknown";

export interface LinearizabilityOptions {
  /**
   * Steps of the model for each part of the history. Bounded by work and not by time, so that a
   * verdict can be repeated. Default 5,000,000.
   */
  readonly maxSteps?: number;
  /** Remembered configurations for each part; some 50 bytes each. Default 2,000,000. */
  readonly maxCacheEntries?: number;
  /** Look for the fewest operations that are still illegal. Default true. */
  readonly shrink?: boolean;
}

export type LinearizabilityResult<Input, Output> = {
  /** Operations that were judged: those that were not applied are none. */
  readonly operations: number;
  /** Independent parts: keys, or groups of keys that batches tie together. */
  readonly parts: number;
  /** Of the model, without those of the shrinking. */
  readonly steps: number;
} & (
  | { readonly verdict: "legal" }
  | {
      readonly verdict: "illegal";
      /** Of the part with the counterexample. */
      readonly keys: readonly string[];
      readonly counterexample: Counterexample<Input, Output>;
    }
  | {
      readonly verdict: "unknown";
      readonly keys: readonly string[];
      /** A sentence that names the bound. */
      readonly reason: string;
    }
);

const DEFAULT_MAX_STEPS = 5_000_000;
const DEFAULT_MAX_CACHE_ENTRIES = 2_000_000;

/**
 * Whether the history could have been made by one copy that does one operation at a time, each
 * between its call and its return (linearizability). Operations that were not applied are left
 * out, those whose outcome is unknown may take effect at any time from their call on, or never.
 * Each group of connected keys is judged alone; one illegal part makes the whole illegal.
 */
export function checkLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
  options: LinearizabilityOptions = {},
): LinearizabilityResult<Input, Output> {
  const bounds: SearchBounds = {
    maxSteps: options.maxSteps ?? DEFAULT_MAX_STEPS,
    maxCacheEntries: options.maxCacheEntries ?? DEFAULT_MAX_CACHE_ENTRIES,
  };
  const judged = history.filter(({ outcome }) => outcome !== "not-applied").map(openIfUnknown);
  const parts = partitionByKeys(judged, model.keysOf);
  const common = { operations: judged.length, parts: parts.length };
  let steps = 0;
  let undecided: { keys: readonly string[]; reason: string } | undefined;
  for (const part of parts) {
    const outcome = judge(model, part.operations, bounds);
    steps += outcome.steps;
    if (outcome.verdict === "illegal") {
      const counterexample = explain(model, part, bounds, options.shrink ?? true);
      return { ...common, steps, verdict: "illegal", keys: part.keys, counterexample };
    }
    if (outcome.verdict === "unknown") {
      const reason = describeBound(outcome.reason ?? "steps", bounds);
      undecided ??= { keys: part.keys, reason };
    }
  }
  if (undecided !== undefined) return { ...common, steps, verdict: "unknown", ...undecided };
  return { ...common, steps, verdict: "legal" };
}

function judge<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  operations: readonly HistoryOperation<Input, Output>[],
  bounds: SearchBounds,
): Pick<SearchOutcome<Input, Output>, "verdict" | "steps"> & { readonly reason?: SearchBound } {
  const simple = model.simplify?.(operations) ?? operations;
  const decided = model.decide?.(simple);
  if (decided !== undefined) return { verdict: decided, steps: simple.length };
  return new Search(model, simple, bounds).run();
}

function explain<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  part: HistoryPart<Input, Output>,
  bounds: SearchBounds,
  asked: boolean,
): Counterexample<Input, Output> {
  const isIllegal = (operations: readonly HistoryOperation<Input, Output>[]) => {
    const { verdict, steps } = judge(model, operations, bounds);
    return { illegal: verdict === "illegal", steps };
  };
  return shrink(part.operations, { model, isIllegal, maxSteps: asked ? bounds.maxSteps : 0 });
}

function openIfUnknown<Input, Output>(
  operation: HistoryOperation<Input, Output>,
): HistoryOperation<Input, Output> {
  const isOpen = operation.returnedAt === OPEN_ENDED && operation.output === undefined;
  if (operation.outcome !== "unknown" || isOpen) return operation;
  const { output: _output, ...open } = operation;
  return { ...open, returnedAt: OPEN_ENDED };
}

function describeBound(reason: SearchBound, bounds: SearchBounds): string {
  return reason === "steps"
    ? `the bound of ${bounds.maxSteps} steps was reached before any answer`
    : `the bound of ${bounds.maxCacheEntries} remembered configurations was reached before any answer`;
}
