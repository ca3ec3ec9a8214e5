import type { Effects } from "../../../core/contracts/machine.ts";
import type { CopyMessage, LeaderlessMessage } from "../messages.ts";
import { atEpoch } from "../place/place-messages.ts";
import { keyRecord } from "../record.ts";
import type { ReplicaMask } from "../replica-answers.ts";
import type { QuorumRead } from "./quorum-read.ts";

type Fx = Effects<LeaderlessMessage>;

/** Brings replicas whose answer lacked some of it up to date, off the critical path. */
export function repair(
  read: QuorumRead,
  record: Uint8Array | undefined,
  mask: ReplicaMask,
  effects: Fx,
): void {
  if (mask === 0 || record === undefined) return;
  const message = writeOf(read, record, "repair", 0);
  for (const node of read.answers.nodesOf(mask)) {
    effects.send(node, "replica", read.shardIndex, message, "bulk");
  }
}

/** Has replicas hold the record before the read is answered: each acknowledges it to `roundId`. */
export function writeBack(
  read: QuorumRead,
  record: Uint8Array,
  mask: ReplicaMask,
  roundId: number,
  effects: Fx,
): void {
  if (mask === 0) return;
  const message = writeOf(read, record, "write-back", roundId);
  for (const node of read.answers.nodesOf(mask)) {
    effects.send(node, "replica", read.shardIndex, message, "log");
  }
}

function writeOf(
  { key, answers }: QuorumRead,
  record: Uint8Array,
  kind: "repair" | "write-back",
  requestId: number,
) {
  return atEpoch<CopyMessage>(answers.placement, {
    type: "write",
    requestId,
    kind,
    proof: undefined,
    keyed: keyRecord(key, record),
  });
}
