import type { Level } from "../../core/model/levels.ts";
import type { ReadResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import type { SessionMark } from "../../core/model/session-token.ts";
import type { ReadWay, SeenBefore, Standpoint } from "./client-messages.ts";
import { revisionOf, valueIn } from "./record.ts";
import type { RaftLevel } from "./settings.ts";
import { encodeRevision, isOfNoLife } from "./version.ts";

const LIFE_DIGITS = 8;

export function readResultOf(
  record: Uint8Array | undefined,
  keyspaceHash: number,
  lifeMark: number,
  receipt: Receipt,
): ReadResult {
  if (record === undefined) {
    return { found: false, value: undefined, siblings: undefined, version: undefined, receipt };
  }
  const version = encodeRevision(keyspaceHash, lifeMark, revisionOf(record));
  return { found: true, value: valueIn(record), siblings: undefined, version, receipt };
}

/** The strategy's own word for what a level asks of a read. */
export function achievedBy(level: Level, way: ReadWay): RaftLevel {
  if (way === "lease") return "lease";
  if (way === "strong") return level === "follower" ? "follower" : "strong";
  return level === "session" ? "session" : "stale";
}

/** How a read of this level is served. */
export function wayOf(level: Level): ReadWay {
  switch (level) {
    case "lease":
      return "lease";
    case "session":
    case "stale":
    case "eventual":
    case "one":
      return "local";
    default:
      return "strong";
  }
}

/** What a client has seen once it has this answer: the shard's log up to an index, in one life. */
export function sessionMarkOf({
  lifeMark,
  appliedIndex,
}: Pick<Standpoint, "lifeMark" | "appliedIndex">): SessionMark {
  return new Map([[nameOf(lifeMark), appliedIndex]]);
}

/**
 * What a session has seen of the shard in its present life; of another life where it has seen
 * nothing of this one; undefined if it has seen nothing.
 *
 * A replica that has applied no command yet knows of no life. What a session has seen there counts
 * only where it has seen nothing else: at another replica that lags behind as much it would say that
 * all has been seen.
 */
export function seenIn(
  mark: SessionMark | undefined,
  { lifeMark, shardIndex }: { readonly lifeMark: number; readonly shardIndex: number },
): SeenBefore | undefined {
  if (mark === undefined) return undefined;
  const lives = [...mark].map(([name, index]) => ({
    lifeMark: Number.parseInt(name, 16),
    index,
  }));
  const named = lives.filter((seen) => !isOfNoLife(seen.lifeMark, shardIndex));
  return named.find((seen) => seen.lifeMark === lifeMark) ?? named[0] ?? lives[0];
}

function nameOf(lifeMark: number): string {
  return lifeMark.toString(16).padStart(LIFE_DIGITS, "0");
}
