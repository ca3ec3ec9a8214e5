import type { Effects } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import type { LeaderlessMessage } from "../leaderless/messages.ts";
import type { PendingWrite } from "./pending-write.ts";

type Fx = Effects<LeaderlessMessage>;

/** Nothing more is awaited of the write. On the path of each: one plain object of what is there. */
export function recordWrite(pending: PendingWrite, effects: Fx): void {
  // Nobody took it: there is nothing to be told of.
  if (pending.held === 0) return;
  const { type, key, shardIndex } = pending.request.operation;
  effects.recordFact({
    type: "replication",
    shardIndex,
    writes: 1,
    operation: type === "delete" ? "delete" : "put",
    key,
    version: versionOf(pending),
    replicatedTo: holdersOf(pending),
  });
}

/** The write was stored, and has lost to a newer one that did not know of it. */
export function recordLoss(pending: PendingWrite, effects: Fx): void {
  const { key, shardIndex } = pending.request.operation;
  const winner = versionTokenOf(pending.newest);
  effects.recordFact({
    type: "conflict",
    shardIndex,
    key,
    versions: [versionOf(pending), winner],
    resolution: "lww",
    resolvedVersion: winner,
    discarded: 1,
  });
}

function versionOf(pending: PendingWrite): string {
  return pending.version ?? versionTokenOf(pending.stamp);
}

/** Nearly always all of them: then no list is made. */
function holdersOf({ answers, held }: PendingWrite): readonly NodeId[] {
  const { replicas } = answers.placement;
  return held === 2 ** replicas.length - 1 ? replicas : answers.nodesOf(held);
}
