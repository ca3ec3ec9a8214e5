import type { CoordinatorContext, Request } from "../../../../src/core/contracts/machine.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { HYBRID_EPOCH_MS, type Stamp, ZERO_STAMP } from "../../../../src/core/model/stamp.ts";
import { Demands } from "../../../../src/strategies/leaderless/demand.ts";
import {
  ReplicaAnswers,
  type ReplicaMask,
} from "../../../../src/strategies/leaderless/replica-answers.ts";
import { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";

export const NODES = ["n1", "n2", "n3"] as NodeId[];
export const PLACEMENT = { epoch: 1 as Epoch, replicas: NODES, standIns: [] };
export const ALL: ReplicaMask = 0b111;
export const MAX_SKEW_MS = 1_000;
export const WALL_MS = HYBRID_EPOCH_MS + 1_000_000;
export const KEYSPACE_HASH = 7;

/** Of node n1, where `reachable` may be changed. */
export interface WriteContext extends CoordinatorContext {
  readonly reachable: Set<NodeId>;
}

export function contextOf(own: "serving" | "rebuilding" = "serving"): WriteContext {
  const reachable = new Set(NODES);
  return {
    reachable,
    self: { node: "n1" },
    keyspace: "k",
    keyspaceHash: KEYSPACE_HASH,
    clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: MAX_SKEW_MS }),
    placement: () => PLACEMENT,
    isReachable: (node: NodeId) => reachable.has(node),
    servingState: () => (own === "serving" ? {} : undefined),
  } as unknown as WriteContext;
}

export function stampAt(time: number, actorLow = 9): Stamp {
  return { time, actorHigh: 0, actorLow };
}

export function requestOf(operation: Partial<Operation> = {}): Request {
  const key = Buffer.from("key");
  return {
    ...{ id: 1, startedAtMs: 0, answered: false, memo: undefined },
    operation: {
      ...{ type: "put", key, value: Buffer.from("v"), shardIndex: 0, level: "quorum" },
      ...{ operationId: undefined, deadlineMs: undefined, options: undefined },
      ...operation,
    },
  };
}

/** A quorum write to three replicas that knows of nothing newer. */
export function pendingOf(fixedStamp?: Stamp, operation: Partial<Operation> = {}): PendingWrite {
  const request = requestOf(operation);
  const demand = new Demands(contextOf()).of(request.operation.level, 0, "write");
  if (demand === undefined) throw new Error(`no demand for ${request.operation.level}`);
  const given = { fixedStamp, seen: ZERO_STAMP, expiresAtMs: undefined };
  return new PendingWrite(request, demand, new ReplicaAnswers(PLACEMENT), given);
}

/** The same, sent to all of them in its first round. */
export function sentOf(fixedStamp?: Stamp, operation: Partial<Operation> = {}): PendingWrite {
  const pending = pendingOf(fixedStamp, operation);
  pending.stampAs(fixedStamp ?? stampAt(10, 1), undefined);
  pending.beginRound(1, ALL, 0);
  pending.sentTo = ALL;
  return pending;
}

/** Answers of n1, n2, n3: `stored`, `newer`, …; `stored*` from one that is being rebuilt; "" is none. */
export function answer(pending: PendingWrite, ...verdicts: readonly string[]): PendingWrite {
  for (const [at, word] of verdicts.entries()) {
    if (word === "") continue;
    if (word === "outdated") {
      pending.outdated |= pending.answers.take(NODES[at] as NodeId, false);
      continue;
    }
    const [verdict, isCounted] = word.endsWith("*") ? [word.slice(0, -1), false] : [word, true];
    const bit = pending.answers.take(NODES[at] as NodeId, isCounted);
    pending.take(verdict as Parameters<PendingWrite["take"]>[0], bit);
  }
  return pending;
}
