import { checkLostWrites, type KeyValueOperation, stampOrder } from "../../verification/index.ts";
import type { LossOfNode } from "../scenario/topology.ts";
import type { Acknowledged, Clients, KeyGroup } from "./clients.ts";
import type { BrokenPromise, Judgement } from "./judge.ts";

/** What a read of all replicas found once everything was whole again. */
export interface FinalRead {
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
    judged += counts.acknowledged;
    const count = Number(final.values[0] ?? 0);
    const most = counts.acknowledged + counts.lowered + counts.unknown;
    if (count >= counts.acknowledged && count <= most) continue;
    const sentence =
      `${counts.acknowledged} increments of ${JSON.stringify(key)} were acknowledged, written at ` +
      `${pair.write} and read at ${pair.read}; in the end it says ${count}: ` +
      (count > most
        ? `more than the ${most} that were asked for.`
        : `${counts.acknowledged - count} are lost.`);
    const history = clients.history().filter(({ input }) => "key" in input && input.key === key);
    return { verdict: "illegal", judged, broken: { sentence, ...showLost(history) } };
  }
  return { verdict: "legal", judged };
}

/** Two writes that were acknowledged and wrote the same number: one of the two is not counted. */
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
  return { operations: [], violated: undefined };
}
