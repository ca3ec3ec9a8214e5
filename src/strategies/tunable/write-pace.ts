import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { ReplicaAnswers } from "../leaderless/replica-answers.ts";
import type { PendingWrite } from "./pending-write.ts";

/** Writes that were answered while copies of them were on their way; above it, answers wait. */
const MAX_LAGGING = 2_048;
/** Copies whose acknowledgement is overdue by then are not waited for any more. */
const LAG_TIMEOUT_MS = 250;

interface Lagging {
  readonly pending: PendingWrite;
  /** Of the round that was answered. */
  readonly answers: ReplicaAnswers;
  readonly sinceMs: number;
}

/**
 * Holds writers to their replicas' pace. A write that has met its level is answered at once while
 * few copies are on their way. Where the replicas are so far behind that answering would only let
 * the backlog grow, the answer waits until they have caught up, at the most until its deadline.
 */
export class WritePace {
  /** Answered writes of which copies are not acknowledged. */
  readonly #lagging = new IdTable<Lagging>();
  readonly #held: PendingWrite[] = [];
  #overdueAtMs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#lagging.size;
  }

  get mayAnswer(): boolean {
    return this.#lagging.size < MAX_LAGGING;
  }

  /** Before it `giveUp` finds nothing. */
  get overdueAtMs(): number {
    return this.#overdueAtMs;
  }

  hold(pending: PendingWrite): void {
    pending.paced = true;
    this.#held.push(pending);
  }

  lag(pending: PendingWrite, nowMs: number): void {
    const { roundId, answers } = pending;
    this.#lagging.set(roundId, { pending, answers, sinceMs: nowMs });
    this.#overdueAtMs = Math.min(this.#overdueAtMs, nowMs + LAG_TIMEOUT_MS);
  }

  /** The write of the round, if that lags; with the last answer it does no more. */
  onAck(roundId: number, from: NodeId, holds: boolean): PendingWrite | undefined {
    const lagging = this.#lagging.get(roundId);
    if (lagging === undefined) return undefined;
    const { pending, answers } = lagging;
    const bit = answers.take(from, true);
    if (holds) pending.held |= bit;
    if (answers.complete) this.#lagging.delete(roundId);
    return pending;
  }

  /** Answers the writes of which it does. */
  giveUp(nowMs: number): readonly PendingWrite[] {
    if (nowMs < this.#overdueAtMs) return [];
    const overdue: PendingWrite[] = [];
    this.#overdueAtMs = Number.POSITIVE_INFINITY;
    for (const [roundId, { pending, sinceMs }] of this.#lagging.entries()) {
      if (nowMs < sinceMs + LAG_TIMEOUT_MS) {
        this.#overdueAtMs = Math.min(this.#overdueAtMs, sinceMs + LAG_TIMEOUT_MS);
        continue;
      }
      this.#lagging.delete(roundId);
      overdue.push(pending);
    }
    return overdue;
  }

  /** The next held write that may be answered now. */
  next(): PendingWrite | undefined {
    while (this.mayAnswer) {
      const next = this.#held.shift();
      if (next === undefined || !next.ended) return next;
    }
    return undefined;
  }
}
