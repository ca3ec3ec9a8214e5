import { countOfLevel, type Level } from "./levels.ts";

/** Smallest count of which any two sets share a member: `⌊n / 2⌋ + 1`. */
export function majorityOf(n: number): number {
  return Math.floor(n / 2) + 1;
}

/**
 * How many of `n` replicas a level waits for. `undefined` where the level does not name a count
 * (`local-quorum`, `lease`, …), and for `two`, `three` and numbers where there are fewer replicas: a level
 * that cannot be met is refused, never weakened.
 */
export function requiredReplicas(level: Level, n: number): number | undefined {
  switch (level) {
    case "one":
      return atMost(1, n);
    case "two":
      return atMost(2, n);
    case "three":
      return atMost(3, n);
    case "quorum":
    case "strong":
      return majorityOf(n);
    case "all":
      return n;
    default: {
      const count = countOfLevel(level);
      return count === undefined ? undefined : atMost(count, n);
    }
  }
}

/**
 * Replicas that a replica without memory has to learn from before it counts again. A write that
 * `w` acknowledged may have been acknowledged by the lost one: it is on at least `w − 1` of the
 * other `n − 1`, and `n − w + 1` of them meet those, for `(w − 1) + (n − w + 1) > n − 1`.
 */
export function rebuildSources(n: number, w: number): number {
  return n - w + 1;
}

/**
 * Replicas of the old set that have to know of a change of the map before it takes force: among
 * any `w` that could acknowledge a write, and any `r` that could answer a read, there is one that
 * knows: `max(n − w, n − r) + 1`.
 */
export function mapChangeQuorum(n: number, w: number, r: number): number {
  return Math.max(n - w, n - r) + 1;
}

/** Whether every `r` of `n` replicas and every `w` of them share one: `r + w > n`. */
export function quorumsIntersect(r: number, w: number, n: number): boolean {
  return r + w > n;
}

function atMost(count: number, n: number): number | undefined {
  return count <= n ? count : undefined;
}
