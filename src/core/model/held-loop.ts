/**
 * A deadline that is looked at so much later than it was due has passed while the event loop was
 * held: by a long loop of the caller, by the collection of garbage, by a process that was stopped.
 * Nothing could be read, written or synced meanwhile, so that the answer may be ready, or only need
 * a moment. The call is therefore spared once, for about as long as it was late.
 */
const HELD_MS = 10;
/** What waits for a sync, or for another node, takes as long where much of it waits. */
const SHORTEST_GRACE_MS = 100;
/** Every call ends within this after the loop goes on; `CallOptions.timeoutMs` says so. */
const LONGEST_GRACE_MS = 500;

/** How long a call is spared whose deadline is looked at `lateMs` late for the first time; 0: not. */
export function graceMs(lateMs: number): number {
  if (lateMs < HELD_MS) return 0;
  return Math.min(Math.max(lateMs, SHORTEST_GRACE_MS), LONGEST_GRACE_MS);
}
