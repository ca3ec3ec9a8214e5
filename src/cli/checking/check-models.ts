import {
  batchRegisterModel,
  checkLinearizable,
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkRegularRegister,
  checkWritesFollowReads,
  describeClient,
  describeOperation,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type RegularViolation,
  registerModel,
  type SequentialModel,
  type SessionResult,
  type Verdict,
} from "../../verification/index.ts";
import { UsageError } from "../usage-error.ts";
import { recordedOrder } from "./recorded-order.ts";

/** What `capstan check` can ask of a history. */
export const CHECK_MODELS = Object.freeze([
  "register",
  "batch-register",
  "regular",
  "read-your-writes",
  "monotonic-reads",
  "monotonic-writes",
  "writes-follow-reads",
] as const);

export type CheckModel = (typeof CHECK_MODELS)[number];

export interface CheckReport {
  readonly verdict: Verdict;
  /** Operations that the model judges. */
  readonly judged: number;
  /** Of the search; not there where none is needed. */
  readonly steps?: number;
  readonly sentence: string;
  readonly counterexample?: {
    /** What is wrong about them. */
    readonly sentence: string;
    readonly operations: readonly KeyValueOperation[];
    readonly violated: KeyValueOperation;
  };
}

export interface CheckSettings {
  readonly maxSteps: number;
}

/** A history that says nothing to the model is `unknown`: to call it legal would be to promise it. */
export function runCheck(
  model: CheckModel,
  history: readonly KeyValueOperation[],
  settings: CheckSettings,
): CheckReport {
  const report = judge(model, history, settings);
  if (report.verdict !== "legal" || report.judged > 0) return report;
  const sentence = `the model ${model} finds nothing to judge in them.`;
  return { ...report, verdict: "unknown", sentence };
}

function judge(
  model: CheckModel,
  history: readonly KeyValueOperation[],
  settings: CheckSettings,
): CheckReport {
  if (model === "register") {
    if (history.some(({ input }) => input.type === "batch")) {
      throw new UsageError("the history holds batches; --model batch-register judges those.");
    }
    return linearizable(registerModel, history, settings);
  }
  if (model === "batch-register") return linearizable(batchRegisterModel, history, settings);
  if (model === "regular") return regular(history);
  return session(model, SESSION_CHECKS[model](history, { order: recordedOrder }));
}

const SESSION_CHECKS = Object.freeze({
  "read-your-writes": checkReadYourWrites,
  "monotonic-reads": checkMonotonicReads,
  "monotonic-writes": checkMonotonicWrites,
  "writes-follow-reads": checkWritesFollowReads,
});

function linearizable<State>(
  model: SequentialModel<State, KeyValueInput, KeyValueOutput>,
  history: readonly KeyValueOperation[],
  settings: CheckSettings,
): CheckReport {
  const result = checkLinearizable(model, history, settings);
  const { verdict, operations: judged, steps } = result;
  const common = { verdict, judged, steps };
  if (result.verdict === "legal") {
    return {
      ...common,
      sentence: `there is an order that explains every answer (${counted(result.parts, "independent part")}, ${counted(steps, "step")}).`,
    };
  }
  const keys = named(result.keys);
  if (result.verdict === "unknown") {
    return { ...common, sentence: `${result.reason} (${keys}); a greater --max-steps may decide.` };
  }
  const { operations, violated, minimal } = result.counterexample;
  return {
    ...common,
    sentence: `no order of the operations on ${keys} explains every answer.`,
    counterexample: {
      sentence: `${describeCall(violated)} fits nowhere among these operations${minimal ? ", none of which can be left out" : ""}.`,
      operations,
      violated,
    },
  };
}

function regular(history: readonly KeyValueOperation[]): CheckReport {
  const { verdict, judged, violations } = checkRegularRegister(history);
  const [first] = violations;
  if (first === undefined) {
    const sentence = `each of ${counted(judged, "read")} finds what was written last, or beside it.`;
    return { verdict, judged, sentence };
  }
  return {
    verdict,
    judged,
    sentence: `${violations.length} of ${counted(judged, "read")} found what could not be there. The first:`,
    counterexample: describeRegular(first),
  };
}

function describeRegular(violation: RegularViolation): NonNullable<CheckReport["counterexample"]> {
  const { read } = violation;
  if (violation.reason === "never-written") {
    const sentence = `${describeCall(read)} finds what nobody had written.`;
    return { sentence, operations: [read], violated: read };
  }
  const { found, overwrittenBy } = violation;
  const sentence = `${describeCall(read)} finds what ${describeCall(overwrittenBy)} had overwritten.`;
  const operations = found === undefined ? [overwrittenBy, read] : [found, overwrittenBy, read];
  return { sentence, operations, violated: read };
}

function session(model: CheckModel, result: SessionResult): CheckReport {
  const { verdict, judged, unjudged, violations } = result;
  const [first] = violations;
  if (verdict === "unknown") {
    return {
      verdict,
      judged,
      sentence: `none of ${counted(unjudged, "operation")} carries a version.`,
    };
  }
  if (first === undefined) {
    const sentence = `${model} holds for ${counted(judged, "operation")} (${unjudged} without a version).`;
    return { verdict, judged, sentence };
  }
  const { earlier, later } = first;
  return {
    verdict,
    judged,
    sentence: `${model} is broken by ${violations.length} of ${counted(judged, "operation")}. The first:`,
    counterexample: {
      sentence: `${describeCall(later)} is not ${later.input.type === "get" ? "as new as" : "newer than"} ${describeCall(earlier)}, which its client had done before.`,
      operations: [earlier, later],
      violated: later,
    },
  };
}

function describeCall(operation: KeyValueOperation): string {
  return `${describeOperation(operation)} by ${describeClient(operation)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const MAX_NAMED_KEYS = 5;

function named(keys: readonly string[]): string {
  const shown = keys.slice(0, MAX_NAMED_KEYS).map((key) => JSON.stringify(key));
  const rest = keys.length - shown.length;
  return `${keys.length === 1 ? "key" : "keys"} ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
