import type { RecordRules } from "../leaderless/record-rules.ts";
import { compareDots } from "./causal-context.ts";
import {
  checkRecord,
  contextOf,
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  isTombstone,
  newestTimeOf,
  type Sibling,
  summaryOf,
} from "./dotted-record.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { joined, picked, type Settlement } from "./settlement.ts";

export interface DottedRulesOptions {
  readonly planted?: PlantedDynamoBugs;
  /** Versions have met, two or more, of which none knew of the others; `kept` stay of them. */
  readonly onMeeting?: (
    key: Uint8Array,
    versions: readonly Sibling[],
    kept: readonly Sibling[],
  ) => void;
  readonly changeOf?: RecordRules["changeOf"];
}

/** The records of a dynamo keyspace: siblings under one exact context. */
export function makeDottedRules(
  settlement: Settlement,
  { planted = NO_PLANTED_DYNAMO_BUGS, onMeeting, changeOf }: DottedRulesOptions = {},
): RecordRules {
  return Object.freeze({
    check: checkRecord,
    relation(held, incoming) {
      const relation = contextOf(held).relationTo(contextOf(incoming));
      if (relation !== "equal") return relation;
      // Only a resolver that does not keep its laws makes two of the same events.
      return Buffer.compare(held, incoming) === 0 ? "equal" : "apart";
    },
    merge(held, incoming, key) {
      if (planted.newestRecordWins === true) {
        return newestTimeOf(held) >= newestTimeOf(incoming) ? held : incoming;
      }
      if (planted.statesNotJoined === true && settlement.kind === "states") return held;
      const merged = mergeRecords(
        settlement,
        decodeRecord(held),
        decodeRecord(incoming),
        key === undefined || onMeeting === undefined
          ? undefined
          : (versions, kept) => onMeeting(key, versions, kept),
      );
      const bytes = encodeRecord(merged);
      return Buffer.compare(bytes, held) === 0 ? held : bytes;
    },
    stampOf: (record) => ({ time: newestTimeOf(record), actorHigh: 0, actorLow: 0 }),
    summaryOf,
    isTombstone,
    ...(changeOf !== undefined && { changeOf }),
  } satisfies RecordRules);
}

/**
 * The events of both. A version stays if both hold it, or if the other has not seen it (2014, §5,
 * `sync`): where the other has seen it and does not hold it, something has replaced it there.
 */
export function mergeRecords(
  settlement: Settlement,
  a: DottedRecord,
  b: DottedRecord,
  onMeeting?: (versions: readonly Sibling[], kept: readonly Sibling[]) => void,
): DottedRecord {
  const isStates = settlement.kind === "states";
  const surviving = isStates ? [] : survivors(a, b);
  const siblings = settled(settlement, surviving);
  if (surviving.length > 1) onMeeting?.(surviving, siblings);
  return {
    context: a.context.merge(b.context),
    newestTime: Math.max(a.newestTime, b.newestTime),
    siblings,
    states: isStates ? joined(settlement.resolver, [...a.states, ...b.states]) : [],
  };
}

/** What a replica keeps of versions that none of the others replaces. */
export function settled(settlement: Settlement, siblings: readonly Sibling[]): readonly Sibling[] {
  if (settlement.kind === "pick") return picked(settlement.resolver, siblings);
  // The context alone keeps a deleted version away; there is nothing to be resolved with.
  return siblings.filter(({ value }) => value !== undefined);
}

function survivors(a: DottedRecord, b: DottedRecord): readonly Sibling[] {
  const kept: Sibling[] = [];
  for (let i = 0, j = 0; i < a.siblings.length || j < b.siblings.length; ) {
    const [left, right] = [a.siblings[i], b.siblings[j]];
    const order =
      left === undefined ? 1 : right === undefined ? -1 : compareDots(left.dot, right.dot);
    const sibling = (order <= 0 ? left : right) as Sibling;
    const other = order < 0 ? b : a;
    if (order === 0 || !other.context.covers(sibling.dot)) kept.push(sibling);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return kept;
}
