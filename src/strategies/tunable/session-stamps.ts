import type { HybridClock } from "../../core/model/hybrid-clock.ts";
import type { Operation } from "../../core/model/operations.ts";
import { NO_SESSION_MARK, type SessionMark } from "../../core/model/session-token.ts";
import { type HybridTime, type Stamp, ZERO_STAMP } from "../../core/model/stamp.ts";
import { expireRecord, isTombstone, stampOf } from "../leaderless/record.ts";
import { keyNameOf } from "../leaderless/session-keys.ts";
import { floorRecordOf } from "../leaderless/settling/stamped-settling.ts";

/** Of a stamp's actor the upper half: it orders stamps of one time. */
const ACTOR_DIGITS = 8;
/** Behind the actor: the session has seen that the key was deleted by it, or had expired. */
const GONE = "x";

/** The newest version of one key that a session has written or read. */
interface SeenVersion {
  readonly time: HybridTime;
  readonly actorHigh: number;
  readonly isGone: boolean;
}

/**
 * What a session has seen of one key, as a component of its mark: `key's name/actor` → time, so that
 * of each key the greatest stamp is kept.
 */
export function markOfRecord(key: Uint8Array, record: Uint8Array | undefined): SessionMark {
  if (record === undefined) return NO_SESSION_MARK;
  return markOf(key, stampOf(record), isTombstone(record));
}

export function markOf(key: Uint8Array, stamp: Stamp, isGone: boolean): SessionMark {
  const actor = stamp.actorHigh.toString(16).padStart(ACTOR_DIGITS, "0");
  return new Map([[`${keyNameOf(key)}/${actor}${isGone ? GONE : ""}`, stamp.time]]);
}

/**
 * The record as the session may be shown it; undefined if it is older than what the session has
 * seen. What it has seen expire is shown as expired, whatever the clocks here say.
 */
export function shownInSession(
  { key, options }: Operation,
  record: Uint8Array | undefined,
): { readonly record: Uint8Array | undefined } | undefined {
  const seen = seenOf(key, options?.session);
  if (seen === undefined) return { record };
  // A deletion that every replica has is forgotten in the end: nothing is what was seen.
  if (record === undefined) return seen.isGone ? { record } : undefined;
  // A replica that holds nothing has shown its floor: one whose floor is lower says no less of the
  // key, if it shows nothing alive.
  const isOfFloor = seen.isGone && seen.actorHigh === 0;
  if (isOfFloor && isTombstone(record) && stampOf(record).time < seen.time) {
    return { record: floorRecordOf(seen.time) };
  }
  const { time, actorHigh } = stampOf(record);
  if (time !== seen.time) return time > seen.time ? { record } : undefined;
  if (actorHigh !== seen.actorHigh) return actorHigh > seen.actorHigh ? { record } : undefined;
  return { record: seen.isGone ? expireRecord(record, Number.POSITIVE_INFINITY) : record };
}

/** What a write of the session has to be stamped above; the clock follows all that it has seen. */
export function stampSeenInSession(
  { key, options }: Operation,
  clock: HybridClock,
  wallMs: number,
): Stamp {
  const mark = options?.session;
  if (mark === undefined) return ZERO_STAMP;
  for (const time of mark.values()) clock.observe({ time, actorHigh: 0, actorLow: 0 }, wallMs);
  const seen = seenOf(key, mark);
  if (seen === undefined) return ZERO_STAMP;
  // The lower half is not known: above all that it can be.
  return { time: seen.time, actorHigh: seen.actorHigh, actorLow: 0xffff_ffff };
}

function seenOf(key: Uint8Array, mark: SessionMark | undefined): SeenVersion | undefined {
  if (mark === undefined || mark.size === 0) return undefined;
  const group = `${keyNameOf(key)}/`;
  for (const [component, time] of mark) {
    if (!component.startsWith(group)) continue;
    const actorHigh = Number.parseInt(
      component.slice(group.length, group.length + ACTOR_DIGITS),
      16,
    );
    // What no store has made says nothing.
    if (Number.isNaN(actorHigh)) return undefined;
    return { time, actorHigh, isGone: component.endsWith(GONE) };
  }
  return undefined;
}
