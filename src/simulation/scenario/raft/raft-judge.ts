import { checkLinearizable, type HistoryOperation } from "../../../verification/index.ts";
import type { CheckReport, Violation } from "../strategy-scenario.ts";
import { earliestExpiryMs } from "./clock-spread.ts";
import {
  type Expiries,
  type JudgedInput,
  type RaftInput,
  type RaftOperation,
  type RaftOutput,
  registersWith,
} from "./raft-model.ts";

/** Reads at these are one history with all writes. */
const LINEARIZABLE: readonly string[] = Object.freeze(["strong", "lease", "follower"]);

/**
 * Whether all writes, and the reads at the levels that promise it, are the history of one copy.
 *
 * @param clockSpreadMs how far any two clocks were apart.
 */
export function judgeLinearizability(
  history: readonly RaftOperation[],
  clockSpreadMs: number,
): CheckReport {
  const expiries = earliestExpiries(history, clockSpreadMs);
  const model = registersWith(expiries);
  const judged = history
    .filter(({ input, level }) => input.type !== "get" || LINEARIZABLE.includes(level ?? ""))
    .map((operation) => asJudged(operation, expiries));
  const together = checkLinearizable(model, judged);
  // Each key alone asks less, and has an answer sooner.
  const result =
    together.verdict === "unknown" ? checkLinearizable(model, keyByKey(judged)) : together;
  const violations: Violation[] = [];
  if (result.verdict === "illegal") {
    const { keys, counterexample } = result;
    const message = `${keys.join(", ")}: ${describe(counterexample)}`;
    violations.push({ check: "linearizability", message });
  }
  const unknown = together.verdict === "unknown" ? 1 : 0;
  return { violations, checked: judged.length, unknown };
}

/** By the value. */
function earliestExpiries(history: readonly RaftOperation[], clockSpreadMs: number): Expiries {
  const expiries = new Map<string, number>();
  for (const { input, calledAtMs } of history) {
    if (input.type !== "write" || input.ttlMs === undefined) continue;
    const earliestMs = earliestExpiryMs(calledAtMs ?? 0, input.ttlMs, clockSpreadMs);
    for (const { value } of input.writes) {
      if (value !== undefined) expiries.set(value, earliestMs);
    }
  }
  return expiries;
}

function asJudged(
  operation: RaftOperation,
  expiries: Expiries,
): HistoryOperation<JudgedInput, RaftOutput> {
  const { input, output, returnedAtMs } = operation;
  const untilMs = returnedAtMs ?? Number.POSITIVE_INFINITY;
  const isNothing = input.type === "get" && output?.value === undefined;
  return { ...operation, input: { ...input, untilMs, mayExpire: isNothing && expiries.size > 0 } };
}

/** What each operation does to each key, as operations of their own. */
function keyByKey(
  history: readonly HistoryOperation<JudgedInput, RaftOutput>[],
): readonly HistoryOperation<JudgedInput, RaftOutput>[] {
  return history.flatMap((operation) => {
    const { input } = operation;
    if (input.type === "get" || input.writes.length === 1) return [operation];
    return input.writes.map((write) => ({ ...operation, input: { ...input, writes: [write] } }));
  });
}

function describe(counterexample: unknown): string {
  const { operations } = counterexample as { operations?: readonly RaftOperation[] };
  if (operations === undefined) return JSON.stringify(counterexample);
  return operations.map(describeOperation).join("; ");
}

export function describeOperation({
  client,
  level,
  input,
  output,
  outcome,
  calledAt,
  returnedAt,
}: RaftOperation): string {
  const what = input.type === "get" ? `${level} ${input.key}=${output?.value}` : say(input);
  const done = output?.isDone === undefined ? "" : ` ${output.isDone}`;
  return `[${calledAt}–${returnedAt}] ${client} ${input.type} ${what}${done} ${outcome}`;
}

function say({ writes, condition, ttlMs }: Extract<RaftInput, { type: "write" }>): string {
  const what = writes.map(({ key, value }) => `${key}=${value}`).join(" ");
  const when = condition === undefined ? "" : ` if ${condition.value}`;
  return `${what}${when}${ttlMs === undefined ? "" : ` for ${ttlMs} ms`}`;
}
