import { decodeRevision } from "../../strategies/raft/version.ts";
import { stampOrder } from "../../verification/index.ts";

/**
 * The order of the versions that a history has: of raft by their places in one life of their shard's
 * log, of tunable by their stamps.
 *
 * @throws CapstanError `INVALID_ARGUMENT` for others, such as those of dynamo, which know of each other or not.
 */
export function recordedOrder(a: string, b: string): number | undefined {
  const [one, other] = [decodeRevision(a), decodeRevision(b)];
  if (one === undefined || other === undefined) return stampOrder(a, b);
  return one.lifeMark === other.lifeMark ? one.revision - other.revision : undefined;
}
