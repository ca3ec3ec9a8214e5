import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import type { KeyValueOperation } from "../../verification/index.ts";
import type { LossOfNode } from "../scenario/topology.ts";
import type { Clients, KeyGroup } from "./clients.ts";
import { atPair, HISTORY_JUDGES, hasStamps, type Judgement, SESSION_CHECKS } from "./judge.ts";
import { type FinalRead, judgeIncrements, judgeLost } from "./judge-finals.ts";
import { judgeSeesAcknowledged, judgeSilentLoss } from "./judge-siblings.ts";
import { promisedChecks } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

/** What a run leaves behind, of which its keys are judged. */
export interface Facts {
  readonly subject: Subject;
  readonly clients: Clients;
  readonly losses: readonly LossOfNode[];
  readonly finals: ReadonlyMap<string, FinalRead>;
}

/** One check of the keys of a group. */
export interface GroupFinding extends Judgement {
  readonly check: HistoryCheck;
  /** False: the configuration does not promise it, and it is looked at all the same. */
  readonly isPromised: boolean;
}

export function judgeGroup(group: KeyGroup, facts: Facts): readonly GroupFinding[] {
  const { subject, clients } = facts;
  const promised = promisedChecks(subject.guarantees, group.pair, subject.replicas);
  const finding = (check: HistoryCheck, judgement: Judgement): GroupFinding => ({
    ...{ check, isPromised: promised.has(check) },
    ...judgement,
  });
  const history = clients
    .history()
    .filter(({ input }) => input.type !== "batch" && group.keys.includes(input.key));
  switch (group.workload) {
    case "reads":
      return [];
    case "counter":
    case "counter-operations": {
      const judgement = judgeIncrements(group, clients, facts.finals);
      // To read, and write plus one, is no operation that anybody promises anything of.
      const isPromised = group.workload === "counter-operations" && promised.has(INCREMENTS);
      return [{ check: INCREMENTS, isPromised, ...judgement }];
    }
    case "set-operations":
      return judgeSiblings(group, facts, history.map(withItems)).map((each) => finding(...each));
    case "contexts": {
      if (subject.use !== "siblings") return [];
      const siblings = judgeSiblings(group, facts, history).map((each) => finding(...each));
      return [...siblings, finding(TRUTH, HISTORY_JUDGES[TRUTH](history))];
    }
    case "register": {
      const findings = judgeRegisters(group, history).map((each) => finding(...each));
      if (!promised.has("no-lost-write")) return findings;
      const { losses, finals } = facts;
      const lost = judgeLost(group, clients.acknowledged, losses, finals, history);
      return [...findings, finding("no-lost-write", lost)];
    }
  }
}

const INCREMENTS = "every-increment-counts";
const TRUTH = "truthful-outcome";

type Judged = readonly [check: HistoryCheck, judgement: Judgement];

function judgeRegisters({ pair }: KeyGroup, history: readonly KeyValueOperation[]): Judged[] {
  const judged = atPair(history, pair);
  const comparable = hasStamps(history);
  return Object.entries(HISTORY_JUDGES).flatMap(([name, judge]): Judged[] => {
    const check = name as keyof typeof HISTORY_JUDGES;
    if (!comparable && SESSION_CHECKS.includes(check)) return [];
    return [[check, judge(check === TRUTH ? history : judged)]];
  });
}

function judgeSiblings(
  { pair }: KeyGroup,
  { clients, finals }: Facts,
  history: readonly KeyValueOperation[],
): Judged[] {
  const judged = atPair(history, pair);
  const values = new Map([...finals].map(([key, final]) => [key, itemsOf(final)]));
  return [
    ["no-silent-loss", judgeSilentLoss(judged, clients.seen, values)],
    ["sees-acknowledged", judgeSeesAcknowledged(judged, clients.seen)],
  ];
}

/** A set is read as one value, which is the list of its items. */
function withItems(operation: KeyValueOperation): KeyValueOperation {
  const { output } = operation;
  if (!Array.isArray(output?.value)) return operation;
  const { value, ...rest } = output;
  return { ...operation, output: { ...rest, siblings: value } };
}

function itemsOf({ values }: FinalRead): readonly unknown[] {
  const [first] = values;
  return values.length === 1 && Array.isArray(first) ? [...first, first] : values;
}
