import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import {
  checkLinearizable,
  type HistoryOperation,
  type KeyValueOperation,
  OPEN_ENDED,
} from "../../verification/index.ts";
import { nameOfValue } from "../../verification/register-values.ts";
import { type JudgedInput, type RaftOutput, registersWith } from "../scenario/raft/raft-model.ts";
import type { KeyGroup } from "./clients.ts";
import type { ConditionalWrite } from "./conditional-writes.ts";
import { atPair, describeCall, HISTORY_JUDGES, type Judgement, MAX_STEPS } from "./judge.ts";

/**
 * Keys that are written on conditions.
 *
 * @param winners conditional writes that were done.
 */
export function judgeConditions(
  { pair, keys }: KeyGroup,
  history: readonly KeyValueOperation[],
  winners: readonly ConditionalWrite[],
): readonly (readonly [check: HistoryCheck, judgement: Judgement])[] {
  const own = winners.filter(({ key }) => keys.includes(key));
  return [
    ["conditional-writes", judgeConditionalWrites(atPair(history, pair))],
    ["one-winner-per-version", judgeWinners(history, own)],
    ["refused-leaves-nothing", judgeRefused(history)],
    ["truthful-outcome", HISTORY_JUDGES["truthful-outcome"](history.filter(isDone))],
  ];
}

/** All of them are the history of one copy, which compares and sets. */
export function judgeConditionalWrites(history: readonly KeyValueOperation[]): Judgement {
  const model = registersWith(new Map());
  const result = checkLinearizable(model, history.map(asCompared), { maxSteps: MAX_STEPS });
  const { verdict, operations: judged } = result;
  if (result.verdict !== "illegal") return { verdict, judged };
  const byPlace = new Map(history.map((operation) => [operation.calledAt, operation]));
  const shown = result.counterexample.operations.flatMap(
    ({ calledAt }) => byPlace.get(calledAt) ?? [],
  );
  const violated = byPlace.get(result.counterexample.violated.calledAt);
  const who = violated === undefined ? "an answer" : describeCall(violated);
  const sentence = `${who} fits nowhere: no order of these operations explains what was done, refused and read.`;
  return { verdict: "illegal", judged, broken: { sentence, operations: shown, violated } };
}

/** Two that were done on the condition of one version: the second did not find it. */
export function judgeWinners(
  history: readonly KeyValueOperation[],
  winners: readonly ConditionalWrite[],
): Judgement {
  const byVersion = new Map<string, ConditionalWrite>();
  for (const winner of winners) {
    const name = JSON.stringify([winner.key, winner.ifVersion]);
    const earlier = byVersion.get(name);
    byVersion.set(name, winner);
    if (earlier === undefined) continue;
    const operations = [earlier, winner].flatMap(
      ({ input }) => history.find((each) => each.input === input) ?? [],
    );
    const [first, second] = operations.map(describeCall);
    const sentence = `${first} and ${second} were both done, and both on the condition of the version ${winner.ifVersion}.`;
    const broken = { sentence, operations, violated: operations[1] };
    return { verdict: "illegal", judged: winners.length, broken };
  }
  return { verdict: "legal", judged: winners.length };
}

/** Of other writes nothing is asked here. */
function judgeRefused(history: readonly KeyValueOperation[]): Judgement {
  const asRefused = history.map((operation): KeyValueOperation => {
    if (operation.input.type === "get") return operation;
    const outcome = isDone(operation) ? "unknown" : "not-applied";
    return { ...operation, outcome, returnedAt: OPEN_ENDED };
  });
  const { verdict, broken } = HISTORY_JUDGES["truthful-outcome"](asRefused);
  const judged = history.length - history.filter(isDone).length;
  if (broken === undefined) return { verdict, judged };
  const sentence = `${describeCall(broken.violated as KeyValueOperation)} finds what a condition had refused.`;
  return { verdict, judged, broken: { ...broken, sentence } };
}

function isDone({ output }: KeyValueOperation): boolean {
  return output?.isDone !== false;
}

/** Values by their names: equal for equal values alone. */
function asCompared(operation: KeyValueOperation): HistoryOperation<JudgedInput, RaftOutput> {
  const { input, output } = operation;
  // Nothing has a time to live.
  const judged = { untilMs: 0, mayExpire: false };
  if (input.type === "batch")
    throw new Error("keys that are written on conditions have no batches");
  const { key } = input;
  if (input.type === "get") {
    const value = named(output?.value);
    const found = output && { output: value === undefined ? {} : { value } };
    return { ...withoutOutput(operation), input: { type: "get", key, ...judged }, ...found };
  }
  const writes = [{ key, value: named(input.type === "put" ? input.value : undefined) }];
  const condition = input.condition && { value: named(input.condition.value) };
  const answered = output && { output: { isDone: isDone(operation) } };
  return {
    ...withoutOutput(operation),
    input: { type: "write", writes, condition, ...judged },
    ...answered,
  };
}

function withoutOutput({
  output: _output,
  ...rest
}: KeyValueOperation): Omit<KeyValueOperation, "output"> {
  return rest;
}

function named(value: unknown): string | undefined {
  return value === undefined ? undefined : nameOfValue(value);
}
