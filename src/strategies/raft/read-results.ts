import type { Level } from "../../core/model/levels.ts";
import type { ReadResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import type { SessionMark } from "../../core/model/session-token.ts";
import type { ReadWay, SeenBefore, Standpoint } from "./client-messages.ts";
import { revisionOf, valueIn } from "./record.ts";
import type { RaftLevel } from "./settings.ts";
import { encodeRevision } from "./version.ts";

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
  return new Map([[lifeMark.toString(16).padStart(LIFE_DIGITS, "0"), appliedIndex]]);
}

/**
 * What a session has seen of the shard in its present life; of another life where it has seen
 * nothing of this one; undefined if it has seen nothing.
 */
export function seenIn(mark: SessionMark | undefined, lifeMark: number): SeenBefore | undefined {
  if (mark === undefined || mark.size === 0) return undefined;
  const name = lifeMark.toString(16).padStart(LIFE_DIGITS, "0");
  const here = mark.get(name);
  if (here !== undefined) return { lifeMark, index: here };
  for (const [other, index] of mark) return { lifeMark: Number.parseInt(other, 16), index };
  return undefined;
}
