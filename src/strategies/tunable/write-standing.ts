import { isMetBy } from "../leaderless/demand.ts";
import { countOf } from "../leaderless/replica-answers.ts";
import { isRefusedByAll, type PendingWrite } from "./pending-write.ts";

/** A write that met only refusals is stamped again at most this often. */
const MAX_ATTEMPTS = 8;

/**
 * Where a write stands after an answer of its round:
 * - `reused`: a replica knows another value under its id;
 * - `met`: as many as the level needs hold it, and nobody who was asked has a newer one;
 * - `overtaken`: as many have answered, it was stored, and somebody has a newer one: it took effect,
 *   and is not what a reader finds;
 * - `awaited`: none of this yet, and answers are to come;
 * - `outdated`: all have answered, some of them unseen, for they know a newer map of the shard;
 * - `outrun`: all have refused it for a newer version: it may go out under a later stamp;
 * - `exhausted`: all have answered, and it is not enough.
 */
export type WriteStanding =
  | "reused"
  | "met"
  | "overtaken"
  | "awaited"
  | "outdated"
  | "outrun"
  | "exhausted";

/** `countedTwice`: copies that count once more than they should, by a planted bug. */
export function standingOf(pending: PendingWrite, countedTwice = 0): WriteStanding {
  const { answers, demand, held, newer, outdated, reused, stored } = pending;
  if (reused !== 0) return "reused";
  // Who has a newer one has answered, too: it is there that this write is known to have been late.
  const counted = (held | newer) & answers.counted;
  if (
    isMetBy(demand, counted) ||
    (countedTwice > 0 && countOf(counted) + countedTwice >= demand.count)
  ) {
    if (newer === 0) return "met";
    if (stored) return "overtaken";
  }
  if (!answers.complete) return "awaited";
  if (outdated !== 0) return "outdated";
  return mayStampAgain(pending) ? "outrun" : "exhausted";
}

/** Only where every recipient refused and none stored is a second stamp still one write. */
function mayStampAgain(pending: PendingWrite): boolean {
  const { fixedStamp, stored, sentAgain, newer, sentTo, attempts } = pending;
  return (
    fixedStamp === undefined &&
    !stored &&
    !sentAgain &&
    newer !== 0 &&
    newer === sentTo &&
    attempts < MAX_ATTEMPTS
  );
}

/**
 * How a write ends for which no further answer is awaited, or has come in time:
 * - `unsent`: too few showed what there is to be stamped above;
 * - `refused`: whoever was sent it has refused it;
 * - `lowered`: some hold it, and the keyspace prefers that to a fault;
 * - `overtaken`: the same, where somebody has a newer one;
 * - `unconfirmed`: it is out there, and nobody knows with whom.
 */
export type WriteEnd = "unsent" | "refused" | "lowered" | "overtaken" | "unconfirmed";

/** `mayLower`: fewer than the level needs will do. */
export function endOf(pending: PendingWrite, mayLower: boolean): WriteEnd {
  const { answers, held, newer, phase } = pending;
  if (phase === "learn") return "unsent";
  if (isRefusedByAll(pending)) return "refused";
  if (!mayLower || (held & answers.counted) === 0) return "unconfirmed";
  return newer === 0 ? "lowered" : "overtaken";
}
