import { NO_SESSION_MARK, type SessionMark } from "../../core/model/session-token.ts";
import type { Actor, HybridTime } from "../../core/model/stamp.ts";
import { KEY_NAME_CHARACTERS, keyNameOf } from "../leaderless/session-keys.ts";
import type { CausalContext } from "./causal-context.ts";
import { contextOf, decodeRecord, newestTimeOf } from "./dotted-record.ts";

/** The greatest time of any event that the session has seen in the shard. */
const TIME = "t";
const ACTOR_BYTES = 8;
const ACTOR_CHARACTERS = 11;

/** In the place of an actor: up to when everything was settled, where the session has read the key. */
const BASE: Actor = Object.freeze({ high: 0, low: 0 });

/**
 * What a session has seen of one key, as components of its mark: the key's context, `key's name,
 * actor` → time of its last event, which join as contexts do, and the time that what it writes has to
 * come after. An actor's times rise with its counters, and say more: what lies below the base of a
 * context is known to it, though it has no counter for it any more. What is alive there is named all
 * the same.
 */
export function markOfRecord(key: Uint8Array, record: Uint8Array | undefined): SessionMark {
  if (record === undefined) return NO_SESSION_MARK;
  const context = contextOf(record);
  const mark = markOfContext(key, context, newestTimeOf(record));
  if (context.base === 0) return mark;
  const name = keyNameOf(key);
  for (const { dot, time } of decodeRecord(record).siblings)
    raise(mark, name + textOf(dot.actor), time);
  return mark;
}

export function markOfContext(
  key: Uint8Array,
  { base, entries }: CausalContext,
  newestTime: HybridTime,
): Map<string, HybridTime> {
  const name = keyNameOf(key);
  const mark = new Map([[TIME, newestTime]]);
  for (const { actor, time } of entries) mark.set(name + textOf(actor), time);
  if (base > 0) raise(mark, name + textOf(BASE), base);
  return mark;
}

function raise(mark: Map<string, HybridTime>, component: string, time: HybridTime): void {
  mark.set(component, Math.max(mark.get(component) ?? 0, time));
}

/**
 * Whether the record has every event of the key that the session has seen. What is settled every
 * replica that serves has, whether its record says so or not (`isOfReplica`); a node that stands in,
 * or is being rebuilt, may lack what was alive below the base, or hold what was replaced there.
 */
export function hasAllSeen(
  key: Uint8Array,
  mark: SessionMark | undefined,
  record: Uint8Array | undefined,
  isOfReplica: boolean,
): boolean {
  if (mark === undefined || mark.size === 0) return true;
  const name = keyNameOf(key);
  const baseName = name + textOf(BASE);
  const context = record === undefined ? undefined : contextOf(record);
  for (const [component, time] of mark) {
    if (component.length !== KEY_NAME_CHARACTERS + ACTOR_CHARACTERS) continue;
    if (!component.startsWith(name)) continue;
    if (component === baseName) {
      if (!isOfReplica && !isAbove(record, time)) return false;
      continue;
    }
    const known = context?.timeOf(actorOf(component.slice(KEY_NAME_CHARACTERS))) ?? 0;
    if (known < time) return false;
  }
  return true;
}

/** Whether nothing that the record shows depends on what was settled up to the time. */
function isAbove(record: Uint8Array | undefined, settledTo: HybridTime): boolean {
  if (record === undefined) return true;
  if (contextOf(record).base >= settledTo) return true;
  const { siblings, states } = decodeRecord(record);
  return states.length === 0 && siblings.every(({ time }) => time > settledTo);
}

/** What a write of the session has to be stamped after. */
export function timeSeenIn(mark: SessionMark | undefined): HybridTime {
  return mark?.get(TIME) ?? 0;
}

function textOf({ high, low }: Actor): string {
  const bytes = Buffer.allocUnsafe(ACTOR_BYTES);
  bytes.writeUInt32BE(high, 0);
  bytes.writeUInt32BE(low, 4);
  return bytes.toString("base64url");
}

function actorOf(text: string): Actor {
  const bytes = Buffer.alloc(ACTOR_BYTES);
  bytes.write(text, "base64url");
  return { high: bytes.readUInt32BE(0), low: bytes.readUInt32BE(4) };
}
