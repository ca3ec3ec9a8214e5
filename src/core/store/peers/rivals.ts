import type { ResolvedConfiguration } from "../../model/configuration-types.ts";
import { CapstanError } from "../../model/errors.ts";
import type { NodeId } from "../../model/ids.ts";
import type { PeerSession } from "./session.ts";

/** A conflict that outlives this many times the detector's patience does not pass by itself. */
const CONFLICT_PATIENCE = 3;

/** More than a node's lives and copies that are heard of at one time. */
const MAX_RIVALS = 8;

export function conflictPatienceMs({ detector }: ResolvedConfiguration): number {
  return CONFLICT_PATIENCE * detector.suspectAfterMs;
}

/** `name`: the rival's session tag, or what the transport calls its process. */
export function noteRival(
  { rivals, sentSequence }: PeerSession,
  name: number | string,
  nowMs: number,
): void {
  if (rivals.has(name)) return;
  rivals.set(name, { sinceSequence: sentSequence, sinceMs: nowMs });
  const [oldest] = rivals.keys();
  if (rivals.size > MAX_RIVALS && oldest !== undefined) rivals.delete(oldest);
}

export function conflictError(self: NodeId, peer: NodeId): CapstanError {
  return new CapstanError(
    "IDENTITY_CONFLICT",
    `another live process answers as node "${self}": ${peer} goes on with that one. Only one may run ` +
      "under a node's id: end this one's service for good, or give it a node id and an empty data " +
      "directory of its own (a copied directory or configuration keeps the id of its node)",
    { details: { node: self, peer } },
  );
}
