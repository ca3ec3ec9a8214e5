import { u16At, u48At, u64At } from "../../core/model/big-endian.ts";
import type { Relation } from "../leaderless/record-rules.ts";
import { CONTEXT_ENTRY_BYTES, CONTEXT_HEADER_BYTES } from "./causal-context.ts";

/** In a dot, in front of its counter. */
const ACTOR_BYTES = 8;
const TIME_AT = 14;

/**
 * `CausalContext.relationTo`, of two contexts as they stand encoded at `at` in bytes that have been
 * checked: every copy of a write is compared with what is held, and to decode both costs several
 * times what comparing them does.
 */
export function relationOfEncoded(held: Uint8Array, incoming: Uint8Array, at: number): Relation {
  const lacks = !knows(held, incoming, at);
  const hasMore = !knows(incoming, held, at);
  if (hasMore) return lacks ? "apart" : "included";
  return lacks ? "succeeded" : "equal";
}

/** Whether all that `b` knows is known to `a`. Both lists of entries are sorted by actor. */
function knows(a: Uint8Array, b: Uint8Array, at: number): boolean {
  const base = u64At(a, at);
  if (u64At(b, at) > base) return false;
  const ownEnd = endOf(a, at);
  const end = endOf(b, at);
  let own = at + CONTEXT_HEADER_BYTES;
  for (let entry = own; entry < end; entry += CONTEXT_ENTRY_BYTES) {
    if (u64At(b, entry + TIME_AT) <= base) continue;
    while (own < ownEnd && compareActorsAt(a, own, b, entry) < 0) own += CONTEXT_ENTRY_BYTES;
    if (own >= ownEnd || compareActorsAt(a, own, b, entry) !== 0) return false;
    if (counterAt(a, own) < counterAt(b, entry)) return false;
  }
  return true;
}

function endOf(bytes: Uint8Array, at: number): number {
  return at + CONTEXT_HEADER_BYTES + u16At(bytes, at + 8) * CONTEXT_ENTRY_BYTES;
}

/** The order of two actors: big-endian, so that their bytes stand in it. */
export function compareActorsAt(a: Uint8Array, own: number, b: Uint8Array, entry: number): number {
  for (let at = 0; at < ACTOR_BYTES; at++) {
    const difference = (a[own + at] as number) - (b[entry + at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Of a dot that begins at `dot`. */
export function counterAt(bytes: Uint8Array, dot: number): number {
  return u48At(bytes, dot + ACTOR_BYTES);
}
