import { u16At, u32At, u64At } from "../../core/model/big-endian.ts";
import { MAX_HYBRID_TIME } from "../../core/model/stamp.ts";
import { CONTEXT_ENTRY_BYTES, CONTEXT_HEADER_BYTES } from "./causal-context.ts";
import { compareActorsAt, counterAt } from "./context-bytes.ts";
import {
  DELETION,
  DOT_BYTES,
  FLAG_ALIVE,
  FORMAT,
  HEADER_BYTES,
  SIBLING_HEAD_BYTES,
  TIME_AT,
  VALUE,
} from "./dotted-layout.ts";

/**
 * Whether the bytes are a record of values and deletions that do not expire, and sound. To be told
 * without making anything: each copy of each write is checked when it comes in, and to read it into
 * objects costs several times what looking at it does. False says nothing: other records are sound,
 * too, and what is wrong with one that is not, whoever reads it says.
 */
export function isPlainRecord(bytes: Uint8Array): boolean {
  const siblingsAt = endOfContext(bytes);
  return siblingsAt > 0 && areSiblingsSound(bytes, siblingsAt);
}

/** Behind header and context; 0 unless both are sound. */
function endOfContext(bytes: Uint8Array): number {
  if (bytes.length < HEADER_BYTES + CONTEXT_HEADER_BYTES + 2) return 0;
  if (bytes[0] !== FORMAT || ((bytes[1] as number) & ~FLAG_ALIVE) !== 0) return 0;
  const base = u64At(bytes, HEADER_BYTES);
  if (u64At(bytes, TIME_AT) > MAX_HYBRID_TIME || base > MAX_HYBRID_TIME) return 0;
  const from = HEADER_BYTES + CONTEXT_HEADER_BYTES;
  const end = from + u16At(bytes, HEADER_BYTES + 8) * CONTEXT_ENTRY_BYTES;
  if (end + 2 > bytes.length) return 0;
  for (let at = from; at < end; at += CONTEXT_ENTRY_BYTES) {
    const time = u64At(bytes, at + DOT_BYTES);
    if (counterAt(bytes, at) === 0 || time <= base || time > MAX_HYBRID_TIME) return 0;
    const before = at - CONTEXT_ENTRY_BYTES;
    if (at > from && compareActorsAt(bytes, before, bytes, at) >= 0) return 0;
  }
  return end;
}

function areSiblingsSound(bytes: Uint8Array, siblingsAt: number): boolean {
  let isAlive = false;
  let before = 0;
  let at = siblingsAt + 2;
  for (let left = u16At(bytes, siblingsAt); left > 0; left--) {
    if (at + SIBLING_HEAD_BYTES > bytes.length || counterAt(bytes, at) === 0) return false;
    if (before > 0 && compareDotsAt(bytes, before, at) >= 0) return false;
    if (!isCovered(bytes, siblingsAt, at)) return false;
    before = at;
    const kind = bytes[at + SIBLING_HEAD_BYTES - 1];
    at += SIBLING_HEAD_BYTES;
    if (kind === DELETION) continue;
    if (kind !== VALUE || at + 4 > bytes.length) return false;
    isAlive = true;
    at += 4 + u32At(bytes, at);
  }
  return at === bytes.length && isAlive === (bytes[1] === FLAG_ALIVE);
}

/** By the context, which ends at `contextEnd`. */
function isCovered(bytes: Uint8Array, contextEnd: number, sibling: number): boolean {
  const time = u64At(bytes, sibling + DOT_BYTES);
  if (time > MAX_HYBRID_TIME) return false;
  if (time <= u64At(bytes, HEADER_BYTES)) return true;
  const from = HEADER_BYTES + CONTEXT_HEADER_BYTES;
  for (let entry = from; entry < contextEnd; entry += CONTEXT_ENTRY_BYTES) {
    if (compareActorsAt(bytes, entry, bytes, sibling) !== 0) continue;
    return counterAt(bytes, sibling) <= counterAt(bytes, entry);
  }
  return false;
}

function compareDotsAt(bytes: Uint8Array, a: number, b: number): number {
  return compareActorsAt(bytes, a, bytes, b) || counterAt(bytes, a) - counterAt(bytes, b);
}
