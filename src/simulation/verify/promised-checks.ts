import type { Guarantee, HistoryCheck } from "../../core/contracts/strategy.ts";
import type { Level } from "../../core/model/levels.ts";
import { quorumsIntersect, requiredReplicas } from "../../core/model/quorum.ts";

/** Keys that are always written at one level and read at another. */
export interface LevelPair {
  readonly write: Level;
  readonly read: Level;
}

/** `quorum`, or `all/one`: written at all, read at one. */
export function nameOfPair({ write, read }: LevelPair): string {
  return write === read ? write : `${write}/${read}`;
}

/** What a strategy's table promises of keys with `replicas` copies that are used at these levels. */
export function promisedChecks(
  guarantees: readonly Guarantee[],
  pair: LevelPair,
  replicas: number,
): ReadonlySet<HistoryCheck> {
  const promised = guarantees
    .flatMap(({ checked = [] }) => checked)
    .filter(({ between }) => {
      if (between === "meeting-counts") return countsMeet(pair, replicas);
      return between.writes.includes(pair.write) && between.reads.includes(pair.read);
    });
  return new Set(promised.flatMap(({ checks }) => checks));
}

/**
 * Whether a read has to meet the latest write, and a write the one before it: any `R` and `W`
 * replicas share one, and any two `W`.
 */
export function countsMeet({ write, read }: LevelPair, replicas: number): boolean {
  const [writes, reads] = [countOf(write, replicas), countOf(read, replicas)];
  if (writes === undefined || reads === undefined) return false;
  return quorumsIntersect(reads, writes, replicas) && quorumsIntersect(writes, writes, replicas);
}

/** Copies that an operation at this level waits for, where the level is a count. */
export function countOf(level: Level, replicas: number): number | undefined {
  return requiredReplicas(level === "eventual" ? "one" : level, replicas);
}
