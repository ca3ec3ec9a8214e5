import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import type { Level } from "../../core/model/levels.ts";
import { type KeyValueOperation, keysOf } from "../../verification/index.ts";
import type { LossOfNode } from "../scenario/topology.ts";
import type { Clients, KeyGroup } from "./clients.ts";
import type { CrdtSide } from "./crdt-side.ts";
import { atPair, HISTORY_JUDGES, hasStamps, type Judgement, SESSION_CHECKS } from "./judge.ts";
import { judgeAllOrNothing, judgePerKey } from "./judge-batches.ts";
import { judgeConditions } from "./judge-conditions.ts";
import { judgeCrdts } from "./judge-crdts.ts";
import { type FinalRead, judgeIncrements, judgeLost } from "./judge-finals.ts";
import { judgeSeesAcknowledged, judgeSilentLoss } from "./judge-siblings.ts";
import { type LevelPair, promisedChecks } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

/** What a run leaves behind, of which its keys are judged. */
export interface Facts {
  readonly subject: Subject;
  readonly clients: Clients;
  readonly losses: readonly LossOfNode[];
  readonly finals: ReadonlyMap<string, FinalRead>;
  readonly crdt: CrdtSide | undefined;
}

/** One check of the keys of a group. */
export interface GroupFinding extends Judgement {
  readonly check: HistoryCheck;
  /** False: the configuration does not promise it, and it is looked at all the same. */
  readonly isPromised: boolean;
}

const INCREMENTS = "every-increment-counts";
const TRUTH = "truthful-outcome";

type Judged = readonly [check: HistoryCheck, judgement: Judgement];

export function judgeGroup(group: KeyGroup, facts: Facts): readonly GroupFinding[] {
  const promised = promisedOf(group, facts);
  // To read, and write plus one, is no operation that anybody promises anything of.
  const isPromised = (check: HistoryCheck) => group.workload !== "counter" && promised.has(check);
  return judgementsOf(group, facts).map(([check, judgement]) => {
    return { check, isPromised: isPromised(check), ...judgement };
  });
}

function judgementsOf(group: KeyGroup, facts: Facts): readonly Judged[] {
  const { clients, finals, crdt } = facts;
  const history = clients
    .history()
    .filter(({ input }) => keysOf(input).some((key) => group.keys.includes(key)));
  switch (group.workload) {
    case "reads":
      return [];
    case "counter":
      return [[INCREMENTS, judgeIncrements(group, clients, finals)]];
    case "operations": {
      if (crdt === undefined) return [];
      const judged = judgeCrdts(group, crdt, history, finals);
      if (!crdt.counts) return judged;
      return [...judged, [INCREMENTS, judgeIncrements(group, clients, finals)]];
    }
    case "contexts":
    case "register":
      return judgeValues(group, facts, history);
    case "conditions":
      return judgeConditions(group, history, clients.winners);
    case "batches":
      return [judgeBatches(group, facts, history)];
  }
}

function judgeBatches(
  group: KeyGroup,
  facts: Facts,
  history: readonly KeyValueOperation[],
): Judged {
  const { oddAnswers } = facts.clients.batches;
  if (facts.subject.description.batch === "all-or-nothing") {
    return ["all-or-nothing", judgeAllOrNothing(group, history, oddAnswers)];
  }
  const promised = promisedOf(group, facts);
  const judgements = judgeValues(group, facts, history, (check) => promised.has(check)).map(
    ([, judgement]) => judgement,
  );
  return ["batch-per-key", judgePerKey(group, judgements, oddAnswers)];
}

/** Keys of which values are read that clients have written. */
function judgeValues(
  group: KeyGroup,
  facts: Facts,
  history: readonly KeyValueOperation[],
  isWanted: (check: HistoryCheck) => boolean = () => true,
): readonly Judged[] {
  const { subject, clients, losses, finals } = facts;
  if (subject.use === "siblings") {
    const judged = judgeSiblings(group, facts, history);
    const all: readonly Judged[] = [...judged, [TRUTH, HISTORY_JUDGES[TRUTH](history)]];
    return all.filter(([check]) => isWanted(check));
  }
  if (subject.use !== "register") return [];
  const judged = judgeRegisters(group, history, isWanted);
  if (!promisedOf(group, facts).has("no-lost-write")) return judged;
  const { acknowledged } = clients.writes;
  return [...judged, ["no-lost-write", judgeLost(group, acknowledged, losses, finals, history)]];
}

function judgeRegisters(
  { pair }: KeyGroup,
  history: readonly KeyValueOperation[],
  isWanted: (check: HistoryCheck) => boolean,
): Judged[] {
  const judged = atPair(history, pair);
  const comparable = hasStamps(history);
  return Object.entries(HISTORY_JUDGES).flatMap(([name, judge]): Judged[] => {
    const check = name as keyof typeof HISTORY_JUDGES;
    if (!isWanted(check) || (!comparable && SESSION_CHECKS.includes(check))) return [];
    return [[check, judge(check === TRUTH ? history : judged)]];
  });
}

function judgeSiblings(
  { pair }: KeyGroup,
  { clients, finals }: Facts,
  history: readonly KeyValueOperation[],
): Judged[] {
  const judged = atPair(history, pair);
  const values = new Map([...finals].map(([key, final]) => [key, final.values]));
  return [
    ["no-silent-loss", judgeSilentLoss(judged, clients.seen, values)],
    ["sees-acknowledged", judgeSeesAcknowledged(judged, clients.seen)],
  ];
}

function promisedOf({ pair, nodes }: KeyGroup, { subject }: Facts): ReadonlySet<HistoryCheck> {
  const isInOne = nodes !== undefined || subject.datacenters === undefined;
  const meant = isInOne ? inOneDatacenter(pair) : pair;
  return promisedChecks(subject.guarantees, meant, subject.replicas);
}

/** What is used in one datacenter alone: its majority is there what one of all replicas is. */
function inOneDatacenter({ write, read }: LevelPair): LevelPair {
  const levelOf = (level: Level) => (level === "local-quorum" ? "quorum" : level);
  return { write: levelOf(write), read: levelOf(read) };
}
