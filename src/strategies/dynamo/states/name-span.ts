import { type HybridTime, wallMsOf } from "../../../core/model/stamp.ts";

const SECOND_MS = 1_000;
/** So many spans behind the floor they begin to grow. */
const MOST_SPANS = 4;

/**
 * When the name ends under which a node's event at `time` goes into the state of a CRDT. Names go
 * from states as soon as the shard's floor has come to their end, so a node takes another one every
 * `reapAfterMs`. While the floor stays where it is (a replica that cannot be reached keeps it), spans
 * double with the time that has passed: a state has names in proportion to its logarithm, not to it.
 *
 * @param settledTo the floor, or when the node's actor was drawn, whichever is later.
 * @returns whole seconds of wall time, above the event's.
 */
export function nameEndMs(time: HybridTime, settledTo: HybridTime, reapAfterMs: number): number {
  const atMs = wallMsOf(time);
  const ageMs = atMs - wallMsOf(settledTo);
  let spanMs = Math.ceil(reapAfterMs / SECOND_MS) * SECOND_MS;
  while (spanMs * MOST_SPANS <= ageMs) spanMs *= 2;
  return (Math.floor(atMs / spanMs) + 1) * spanMs;
}
