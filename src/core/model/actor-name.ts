import { type HybridTime, hybridTimeOf } from "./stamp.ts";

const BEFORE_END = "~";
const RADIX = 36;
const SECOND_MS = 1_000;

/**
 * The name that the resolver of a CRDT knows an actor by. One that ends says so itself: all of its
 * dots are older than its end, so that whoever knows all dots up to there knows all of the actor's.
 *
 * @param endsAtMs whole seconds, of wall time. Undefined: the actor never ends.
 */
export function actorName(id: string, endsAtMs?: number): string {
  if (endsAtMs === undefined) return id;
  return `${id}${BEFORE_END}${Math.ceil(endsAtMs / SECOND_MS).toString(RADIX)}`;
}

/** All dots of the actor are older; Infinity if its name does not say. */
export function actorEnd(name: string): HybridTime {
  const at = name.lastIndexOf(BEFORE_END);
  if (at < 0) return Number.POSITIVE_INFINITY;
  const seconds = Number.parseInt(name.slice(at + 1), RADIX);
  return Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : hybridTimeOf(seconds * SECOND_MS);
}

/** The actor without its end: of one actor the same under all of its names. */
export function actorId(name: string): string {
  const at = name.lastIndexOf(BEFORE_END);
  return at < 0 ? name : name.slice(0, at);
}
