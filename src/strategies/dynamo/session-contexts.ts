import { NO_SESSION_MARK, type SessionMark } from "../../core/model/session-token.ts";
import type { Actor, HybridTime } from "../../core/model/stamp.ts";
import { KEY_NAME_CHARACTERS, keyNameOf } from "../leaderless/session-keys.ts";
import type { CausalContext } from "./causal-context.ts";
import { contextOf, newestTimeOf } from "./dotted-record.ts";

/** The greatest time of any event that the session has seen in the shard. */
const TIME = "t";
const ACTOR_BYTES = 8;
const ACTOR_CHARACTERS = 11;

/**
 * What a session has seen of one key, as components of its mark: the key's context, `key's name,
 * actor` → time of its last event, which join as contexts do, and the time that what it writes has to
 * come after. An actor's times rise with its counters, and say more: what lies below the base of a
 * context is known to it, though it has no counter for it any more.
 */
export function markOfRecord(key: Uint8Array, record: Uint8Array | undefined): SessionMark {
  if (record === undefined) return NO_SESSION_MARK;
  return markOfContext(key, contextOf(record), newestTimeOf(record));
}

export function markOfContext(
  key: Uint8Array,
  context: CausalContext,
  newestTime: HybridTime,
): SessionMark {
  const name = keyNameOf(key);
  const mark = new Map([[TIME, newestTime]]);
  for (const { actor, time } of context.entries) mark.set(name + textOf(actor), time);
  return mark;
}

/** Whether the record has every event of the key that the session has seen. */
export function hasAllSeen(
  key: Uint8Array,
  mark: SessionMark | undefined,
  record: Uint8Array | undefined,
): boolean {
  if (mark === undefined || mark.size === 0) return true;
  const name = keyNameOf(key);
  const context = record === undefined ? undefined : contextOf(record);
  for (const [component, time] of mark) {
    if (component.length !== KEY_NAME_CHARACTERS + ACTOR_CHARACTERS) continue;
    if (!component.startsWith(name)) continue;
    const known = context?.timeOf(actorOf(component.slice(KEY_NAME_CHARACTERS))) ?? 0;
    if (known < time) return false;
  }
  return true;
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
