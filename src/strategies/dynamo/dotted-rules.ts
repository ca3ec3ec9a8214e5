import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import type { RecordRules } from "../leaderless/record-rules.ts";
import { compareDots } from "./causal-context.ts";
import {
  checkRecord,
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  expires,
  firstExpiryOf,
  isSummary,
  isTombstone,
  newestTimeOf,
  relationOf,
  type Sibling,
  summaryOf,
} from "./dotted-record.ts";
import { dottedSettling } from "./dotted-settling.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { joined, picked, retired, type Settlement } from "./settlement.ts";

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
      const relation = relationOf(held, incoming);
      if (relation === "succeeded") return hasLost(incoming, held) ? "apart" : relation;
      if (relation === "included") return hasLost(held, incoming) ? "apart" : relation;
      if (relation !== "equal") return relation;
      // What has expired in one of them; or a resolver that does not keep its laws.
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
    expiryOf: (record) => (expires(record) ? firstExpiryOf(decodeRecord(record)) : undefined),
    expire: (record, wallMs) => expireRecord(settlement, record, wallMs),
    settling: dottedSettling,
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
  const context = a.context.merge(b.context);
  return {
    context,
    newestTime: Math.max(a.newestTime, b.newestTime),
    siblings,
    states: isStates ? statesOf(settlement.resolver, a, b, context.base) : [],
  };
}

/** Invariant: what a state says of ended actors it says up to its context's base. */
function statesOf(
  resolver: CrdtResolver,
  a: DottedRecord,
  b: DottedRecord,
  base: HybridTime,
): readonly Uint8Array[] {
  const states = joined(resolver, [...a.states, ...b.states]);
  const bases = [a, b].filter((each) => each.states.length > 0).map(({ context }) => context.base);
  // The later base may be of a record that says that there was nothing up to it.
  return bases.every((each) => each < base) ? retired(resolver, states, base) : states;
}

/**
 * What has expired is deleted by its own bytes, and by no event: the context stays, and has the dots
 * of what is gone, so that a merge with a copy that has not come to it yet takes it for deleted.
 * Where the last writer wins it goes on competing, as a deletion: else an older version would come
 * back where it had not met the newer one yet.
 */
export function expireRecord(
  settlement: Settlement,
  bytes: Uint8Array,
  wallMs: number,
): Uint8Array {
  if (!expires(bytes)) return bytes;
  const record = decodeRecord(bytes);
  const first = firstExpiryOf(record);
  if (first === undefined || wallMs < first) return bytes;
  const siblings = record.siblings.map((sibling) => {
    const { dot, time, expiresAtMs } = sibling;
    const isOver = expiresAtMs !== undefined && expiresAtMs <= wallMs;
    return isOver ? { dot, time, value: undefined } : sibling;
  });
  return encodeRecord({ ...record, siblings: settled(settlement, siblings) });
}

/**
 * Whether a version that is alive in the record with the greater context has expired in the other
 * one: contexts do not tell, since no event has deleted it.
 */
function hasLost(greater: Uint8Array, other: Uint8Array): boolean {
  if (!expires(greater) || isSummary(other)) return false;
  const { context, siblings } = decodeRecord(other);
  return decodeRecord(greater).siblings.some(
    ({ dot, time, value, expiresAtMs }) =>
      value !== undefined &&
      expiresAtMs !== undefined &&
      context.covers(dot, time) &&
      !siblings.some((each) => each.value !== undefined && compareDots(each.dot, dot) === 0),
  );
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
    // The same version from both: where it has expired for one of them it has for both.
    const isGoneRight = order === 0 && right?.value === undefined;
    const sibling = (order <= 0 && !isGoneRight ? left : right) as Sibling;
    const other = order < 0 ? b : a;
    if (order === 0 || !other.context.covers(sibling.dot, sibling.time)) kept.push(sibling);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return kept;
}
