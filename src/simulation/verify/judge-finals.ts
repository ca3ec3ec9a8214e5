import type { GetResult } from "../../core/store/api.ts";
import { checkLostWrites, type KeyValueOperation, stampOrder } from "../../verification/index.ts";
import type { LossOfNode } from "../scenario/topology.ts";
import type { Acknowledged } from "./client-writes.ts";
import type { Clients, KeyGroup } from "./clients.ts";
import type { BrokenPromise, Judgement } from "./judge.ts";

/** What a read of all replicas found once everything was whole again. */
export interface FinalRead {
  readonly result: GetResult<unknown>;
  readonly version: string | undefined;
  /** None, one, or several side by side. */
  readonly values: readonly unknown[];
}

/** What was acknowledged is there in the end, or something newer: see `checkLostWrites`. */
export function judgeLost(
  { keys }: KeyGroup,
  acknowledged: readonly Acknowledged[],
  wiped: readonly LossOfNode[],
  finals: ReadonlyMap<string, FinalRead>,
  history: readonly KeyValueOperation[],
): Judgement {
  const result = checkLostWrites({
    acknowledged: acknowledged
      .filter(({ key }) => keys.includes(key) && finals.has(key))
      .map(({ atMs, ...write }) => ({ ...write, acknowledgedAt: atMs })),
    wiped,
    finals: new Map([...finals].map(([key, { version }]) => [key, version ? [version] : []])),
    covers: (found, written) => stampOrder(found, written) >= 0,
  });
  const { judged } = result;
  const [first] = result.violations;
  if (first === undefined) return { verdict: "legal", judged };
  const { key, version, acknowledgedAt, holders } = first.write;
  const written = history.find(
    ({ input, output }) => input.type !== "get" && output?.version === version,
  );
  const read = history.findLast(
    ({ input, client }) =>
      input.type === "get" && client === "final" && "key" in input && input.key === key,
  );
  const broken: BrokenPromise = {
    sentence:
      `what was acknowledged at ${acknowledgedAt.toFixed(1)} ms, and held by ${holders.join(", ")}, ` +
      "is gone in the end.",
    operations: [written, read].filter((each) => each !== undefined),
    violated: read,
  };
  return { verdict: "illegal", judged, broken };
}

/** In the end the count is no less than what was acknowledged, and no more than what may have been. */
export function judgeIncrements(
  { keys, pair }: KeyGroup,
  clients: Clients,
  finals: ReadonlyMap<string, FinalRead>,
): Judgement {
  let judged = 0;
  for (const key of keys) {
    const counts = clients.increments.get(key);
    const final = finals.get(key);
    if (counts === undefined || final === undefined) continue;
    const { acknowledged, sum, least, most } = counts;
    judged += acknowledged;
    const count = Number(final.values[0] ?? 0);
    if (count >= sum + least && count <= sum + most) continue;
    const sentence =
      `${acknowledged} increments of ${JSON.stringify(key)} were acknowledged, written at ` +
      `${pair.write} and read at ${pair.read}${sum === acknowledged ? "" : `, ${sum} in all`}; ` +
      `in the end it says ${count}: ` +
      (count > sum + most
        ? `more than the ${sum + most} that were asked for.`
        : `${sum - count} are lost.`);
    const history = clients.history().filter(({ input }) => "key" in input && input.key === key);
    return { verdict: "illegal", judged, broken: { sentence, ...showLost(history) } };
  }
  return { verdict: "legal", judged };
}

/**
 * Two writes that were acknowledged and wrote the same number: one of the two is not counted. Where
 * operations are written, or there are none such, what was read in the end.
 */
function showLost(
  history: readonly KeyValueOperation[],
): Pick<BrokenPromise, "operations" | "violated"> {
  const byValue = new Map<unknown, KeyValueOperation>();
  for (const operation of history) {
    const { input, outcome } = operation;
    if (input.type !== "put" || outcome !== "applied") continue;
    const twin = byValue.get(input.value);
    if (twin === undefined) byValue.set(input.value, operation);
    else return { operations: [twin, operation], violated: operation };
  }
  const last = history.findLast(({ client }) => client === "final");
  return { operations: last === undefined ? [] : [last], violated: last };
}
