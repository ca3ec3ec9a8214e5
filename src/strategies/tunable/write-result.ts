import { CapstanError } from "../../core/model/errors.ts";
import type { WriteResult } from "../../core/model/operations.ts";
import { unansweredWrite } from "../leaderless/faults.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { countOf } from "../leaderless/replica-answers.ts";
import { skewed, superseded } from "./faults.ts";
import { isFirstTry, type PendingWrite } from "./pending-write.ts";
import { markOf } from "./session-stamps.ts";

/** What the client is told of a write that has ended well; `met`: at the level that it asked for. */
export function writeResultOf(
  { answers, held, request, stamp }: PendingWrite,
  version: string,
  met: boolean,
  nowMs: number,
): WriteResult {
  const durable = countOf(held & answers.counted);
  const { key, level, options, type } = request.operation;
  return {
    version,
    ...(options?.session !== undefined && { session: markOf(key, stamp, type === "delete") }),
    receipt: receiptOf({
      asked: level,
      counted: durable,
      durable,
      total: answers.total,
      met,
      pendingSync: durable < answers.total,
      repaired: 0,
      epoch: answers.placement.epoch,
      durationMs: nowMs - request.startedAtMs,
      side: "Write",
    }),
  };
}

/**
 * Whoever was sent the write has refused it. With an id of its own it may have been stored by an
 * earlier try, as it may have been by an earlier round.
 */
export function refusalByAll(pending: PendingWrite, id: () => string): CapstanError {
  const operationId = isFirstTry(pending) ? undefined : id();
  if (pending.skewed !== 0) return skewed(operationId);
  if (pending.newer === 0) {
    return operationId === undefined ? moved() : unconfirmed(pending, operationId);
  }
  const outcome = operationId === undefined ? "not-applied" : "unknown";
  return superseded(pending.newest, outcome, operationId);
}

/** Nobody has looked at it, and those who hold the shard now were not reached in time. */
function moved(): CapstanError {
  return new CapstanError(
    "UNAVAILABLE",
    "the shard was moved: those who held it refused the write under a newer map, and those who hold " +
      "it now were not reached; it was stored nowhere",
  );
}

/** It was sent, and too few have confirmed it. */
export function unconfirmed(pending: PendingWrite, id: string): CapstanError {
  const { answers, demand, held, request, skewed: refusers } = pending;
  // Mostly this node's clock, which has stored it itself: nothing but the event would say so.
  const clocks =
    refusers === 0
      ? ""
      : `, and ${answers.nodesOf(refusers).join(", ")} refused its stamp, which lies beyond ` +
        "clock.maxSkew ahead of their clocks";
  const what =
    `the write was sent, and ${countOf(held & answers.counted)} of the ${demand.count} replicas ` +
    `that ${request.operation.level} needs confirmed it${clocks}`;
  return unansweredWrite(what, id, answers);
}

export function abortedWrite({ phase, answers }: PendingWrite, id: () => string): CapstanError {
  return phase === "learn"
    ? new CapstanError("ABORTED", "the write was aborted before it was sent")
    : unansweredWrite("the write was aborted after it was sent", id(), answers);
}
