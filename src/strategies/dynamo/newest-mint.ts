import { putU32, putU48, putU64, u16At, u32At, u48At, u64At } from "../../core/model/big-endian.ts";
import type { Actor, HybridTime } from "../../core/model/stamp.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import { CONTEXT_ENTRY_BYTES, CONTEXT_HEADER_BYTES } from "./causal-context.ts";
import { MAX_CONTEXT_BYTES } from "./context-token.ts";
import {
  DELETION,
  DOT_BYTES,
  EXPIRING_VALUE,
  FLAG_ALIVE,
  FLAG_EXPIRES,
  FORMAT,
  HEADER_BYTES,
  SIBLING_HEAD_BYTES,
  TIME_AT,
  VALUE,
} from "./dotted-layout.ts";

/** In a dot, in front of its counter. */
const ACTOR_BYTES = 8;
const COUNT_AT = HEADER_BYTES + 8;
const ENTRIES_AT = HEADER_BYTES + CONTEXT_HEADER_BYTES;

/** A client's write without a context, and the dot that names it. */
export interface NewestVersion {
  readonly key: Uint8Array;
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined;
  readonly expiresAtMs: number | undefined;
  readonly actor: Actor;
  readonly counter: number;
  readonly time: HybridTime;
}

/**
 * What `mint` makes of a write without a context where the newest version alone stays, out of the
 * held record's bytes: the new version is later than all that is held, so that of the old record
 * only the context goes on, with one entry more or a greater one. To read it into objects for that
 * costs several times what it takes to copy it. Not even that context can be done without: other
 * copies would take the new record for one that knew nothing of what they hold.
 *
 * `floor` is up to when every event is known here. Undefined says nothing: there is more to be done
 * than this, and `mint` does it.
 */
export function mintNewest(
  held: Uint8Array | undefined,
  version: NewestVersion,
  floor: HybridTime,
): KeyedRecord | undefined {
  const { actor, counter, time } = version;
  const base = held === undefined ? floor : u64At(held, HEADER_BYTES);
  if (time <= base || (held !== undefined && !isAlone(held, time))) return undefined;
  const end = held === undefined ? ENTRIES_AT : endOfEntries(held);
  let at = ENTRIES_AT;
  let isNamed = false;
  for (let entry = ENTRIES_AT; held !== undefined && entry < end; entry += CONTEXT_ENTRY_BYTES) {
    const order = u32At(held, entry) - actor.high || u32At(held, entry + 4) - actor.low;
    if (order < 0) at = entry + CONTEXT_ENTRY_BYTES;
    if (order === 0) {
      isNamed = true;
      if (counter <= u48At(held, entry + ACTOR_BYTES)) return undefined;
    } else if (u64At(held, entry + DOT_BYTES) <= floor) return undefined;
  }
  const rest = isNamed ? at + CONTEXT_ENTRY_BYTES : at;
  const count = (end - ENTRIES_AT) / CONTEXT_ENTRY_BYTES + (isNamed ? 0 : 1);
  if (CONTEXT_HEADER_BYTES + count * CONTEXT_ENTRY_BYTES > MAX_CONTEXT_BYTES) return undefined;
  const context = { held, base, count, at, rest, end };
  return written(version, context);
}

/** One version or none, all of which the new one is later than. */
function isAlone(held: Uint8Array, time: HybridTime): boolean {
  return time > u64At(held, TIME_AT) && u16At(held, endOfEntries(held)) <= 1;
}

function endOfEntries(record: Uint8Array): number {
  return ENTRIES_AT + u16At(record, COUNT_AT) * CONTEXT_ENTRY_BYTES;
}

/** Of the held record the entries in front of `at` stay, and those from `rest` on. */
interface NewContext {
  readonly held: Uint8Array | undefined;
  readonly base: HybridTime;
  readonly count: number;
  readonly at: number;
  readonly rest: number;
  readonly end: number;
}

function written(version: NewestVersion, context: NewContext): KeyedRecord {
  const { key, value, time } = version;
  const expiresAtMs = value === undefined ? undefined : version.expiresAtMs;
  const { held, base, count, at, rest, end } = context;
  const recordAt = 2 + key.length;
  const siblingsAt = recordAt + ENTRIES_AT + count * CONTEXT_ENTRY_BYTES;
  const headAt = siblingsAt + 2;
  const valueAt = headAt + SIBLING_HEAD_BYTES + (expiresAtMs === undefined ? 0 : 8);
  const length = valueAt + (value === undefined ? 0 : 4 + value.length);
  const payload = Buffer.allocUnsafe(length);
  putU16(payload, 0, key.length);
  payload.set(key, 2);
  payload[recordAt] = FORMAT;
  payload[recordAt + 1] =
    (value === undefined ? 0 : FLAG_ALIVE) | (expiresAtMs === undefined ? 0 : FLAG_EXPIRES);
  putU64(payload, recordAt + TIME_AT, time);
  putU64(payload, recordAt + HEADER_BYTES, base);
  putU16(payload, recordAt + COUNT_AT, count);
  let to = recordAt + ENTRIES_AT;
  if (held !== undefined) to = copied(held, ENTRIES_AT, at, payload, to);
  to = putEvent(payload, to, version);
  if (held !== undefined) copied(held, rest, end, payload, to);
  putU16(payload, siblingsAt, 1);
  const kindAt = putEvent(payload, headAt, version);
  payload[kindAt] =
    value === undefined ? DELETION : expiresAtMs === undefined ? VALUE : EXPIRING_VALUE;
  if (expiresAtMs !== undefined) putU64(payload, kindAt + 1, expiresAtMs);
  if (value !== undefined) {
    putU32(payload, valueAt, value.length);
    payload.set(value, valueAt + 4);
  }
  return { payload, key, record: payload.subarray(recordAt) };
}

/** Its dot and its time: an entry of a context, and the head of a version. Answers what is behind. */
function putEvent(into: Uint8Array, at: number, { actor, counter, time }: NewestVersion): number {
  putU32(into, at, actor.high);
  putU32(into, at + 4, actor.low);
  putU48(into, at + ACTOR_BYTES, counter);
  putU64(into, at + DOT_BYTES, time);
  return at + CONTEXT_ENTRY_BYTES;
}

/** A few bytes, nearly always: a call that copies costs more. */
function copied(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number) {
  let to = at;
  for (let each = start; each < end; each++) into[to++] = from[each] as number;
  return to;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
