import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import type { KeyValueOperation } from "../../verification/index.ts";
import type { Violation } from "../scenario/strategy-scenario.ts";
import type { KeyGroup } from "./clients.ts";
import type { CrdtSide } from "./crdt-side.ts";
import { atPair, describeCall, type Judgement } from "./judge.ts";
import type { FinalRead } from "./judge-finals.ts";

type Judged = readonly [check: HistoryCheck, judgement: Judgement];

/** What `CrdtWorkload` calls an operation that is there although it was refused. */
const OUTCOME = "outcome";

/**
 * Keys of a CRDT: whatever a read showed is what the operations come to that its version knows, and
 * its version knows what was acknowledged before.
 */
export function judgeCrdts(
  { keys, pair }: KeyGroup,
  side: CrdtSide,
  history: readonly KeyValueOperation[],
  finals: ReadonlyMap<string, FinalRead>,
): readonly Judged[] {
  const judged = atPair(history, pair);
  const violations = keys.flatMap((key) => {
    const covers = () => true;
    const found = side.workload.judgeFinal({ key, result: finals.get(key)?.result, covers });
    return found.map((violation) => ({ ...violation, key }));
  });
  const isOutcome = ({ check }: Violation) => check === OUTCOME;
  const values = keys.reduce((sum, key) => sum + side.workload.judgedOf(key), 0);
  const writes = history.filter(({ input }) => input.type !== "get").length;
  return [
    [
      "operations-add-up",
      judgementOf(
        violations.filter((each) => !isOutcome(each)),
        values,
        history,
      ),
    ],
    ["truthful-outcome", judgementOf(violations.filter(isOutcome), writes, history)],
    ["no-silent-loss", judgeKnownInTheEnd(judged, side, finals)],
    ["sees-acknowledged", judgeKnownToReads(judged, side)],
  ];
}

/** With the last read of the key, which shows what became of it. */
function judgementOf(
  [first]: readonly (Violation & { readonly key: string })[],
  judged: number,
  history: readonly KeyValueOperation[],
): Judgement {
  if (first === undefined) return { verdict: "legal", judged };
  const last = lastRead(history, first.key);
  const operations = last === undefined ? [] : [last];
  return {
    verdict: "illegal",
    judged,
    broken: { sentence: `${first.message}.`, operations, violated: last },
  };
}

/** What was acknowledged is known to whoever reads all replicas in the end. */
function judgeKnownInTheEnd(
  history: readonly KeyValueOperation[],
  side: CrdtSide,
  finals: ReadonlyMap<string, FinalRead>,
): Judgement {
  let judged = 0;
  for (const write of history.filter(isAcknowledged)) {
    const final = finals.get(keyOf(write));
    if (final === undefined) continue;
    judged += 1;
    const { found, version } = final.result;
    // A floor covers all that is gone, and no operation makes a key go.
    if (found && knows(side, write, version)) continue;
    const last = lastRead(history, keyOf(write));
    const sentence = `${describeCall(write)} was acknowledged, and nobody knows of it in the end.`;
    const operations = [write, ...(last === undefined ? [] : [last])];
    return { verdict: "illegal", judged, broken: { sentence, operations, violated: last } };
  }
  return { verdict: "legal", judged };
}

/** What was acknowledged before a read was called is known to it. */
function judgeKnownToReads(history: readonly KeyValueOperation[], side: CrdtSide): Judgement {
  const acknowledged = history.filter(isAcknowledged);
  let judged = 0;
  for (const read of history) {
    const { input, output, outcome } = read;
    if (input.type !== "get" || outcome !== "applied" || output === undefined) continue;
    judged += 1;
    const missed = acknowledged.find(
      (write) =>
        keyOf(write) === input.key &&
        write.returnedAt < read.calledAt &&
        !(output.value !== undefined && knows(side, write, output.version)),
    );
    if (missed === undefined) continue;
    const sentence = `${describeCall(read)} knows nothing of ${describeCall(missed)}, which was acknowledged before.`;
    const broken = { sentence, operations: [missed, read], violated: read };
    return { verdict: "illegal", judged, broken };
  }
  return { verdict: "legal", judged };
}

/** Whether everything that the write's version knows is known to the version. */
function knows(
  { copies }: CrdtSide,
  write: KeyValueOperation,
  version: string | undefined,
): boolean {
  const written = write.output?.version;
  return (
    version !== undefined && written !== undefined && copies.covers(keyOf(write), version, written)
  );
}

function isAcknowledged({ input, outcome, output }: KeyValueOperation): boolean {
  return input.type === "put" && outcome === "applied" && output?.version !== undefined;
}

function lastRead(
  history: readonly KeyValueOperation[],
  key: string,
): KeyValueOperation | undefined {
  return history.findLast((each) => each.client === "final" && keyOf(each) === key);
}

function keyOf({ input }: KeyValueOperation): string {
  return input.type === "batch" ? "" : input.key;
}
