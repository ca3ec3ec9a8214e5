import {
  batchRegisterModel,
  checkLinearizable,
  type KeyValueOperation,
} from "../../verification/index.ts";
import type { OddAnswer } from "./batch-writes.ts";
import type { KeyGroup } from "./clients.ts";
import { atPair, describeCall, type Judgement, MAX_STEPS } from "./judge.ts";

/** Each batch takes effect at one moment, as one copy of its keys would have had it. */
export function judgeAllOrNothing(
  { pair, keys }: KeyGroup,
  history: readonly KeyValueOperation[],
  odd: readonly OddAnswer[],
): Judgement {
  const result = checkLinearizable(batchRegisterModel, atPair(history, pair), {
    maxSteps: MAX_STEPS,
  });
  const { verdict, operations: judged } = result;
  if (result.verdict === "illegal") {
    const { operations, violated } = result.counterexample;
    const sentence = `${describeCall(violated)} fits nowhere: no order of these operations, each batch at one moment, explains every answer.`;
    return { verdict: "illegal", judged, broken: { sentence, operations, violated } };
  }
  return oddOf(keys, odd, judged) ?? { verdict, judged };
}

/** What is promised of writes of their own, of the keys of batches; the first that is broken. */
export function judgePerKey(
  { keys }: KeyGroup,
  promised: readonly Judgement[],
  odd: readonly OddAnswer[],
): Judgement {
  const judged = promised.reduce((most, each) => Math.max(most, each.judged), 0);
  const broken = promised.find(({ verdict }) => verdict === "illegal");
  if (broken !== undefined) return broken;
  const isUnknown = promised.some(({ verdict }) => verdict === "unknown");
  return oddOf(keys, odd, judged) ?? { verdict: isUnknown ? "unknown" : "legal", judged };
}

function oddOf(
  keys: readonly string[],
  odd: readonly OddAnswer[],
  judged: number,
): Judgement | undefined {
  const own = odd.find(({ key }) => keys.includes(key));
  if (own === undefined) return undefined;
  const broken = { sentence: own.sentence, operations: [], violated: undefined };
  return { verdict: "illegal", judged, broken };
}
