import type { Effects, Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { LeaderlessMessage, WriteAck } from "../leaderless/messages.ts";
import { missedWrite } from "./missed-write.ts";
import type { PendingWrite } from "./pending-write.ts";
import { recordWrite } from "./write-facts.ts";
import type { WritePace } from "./write-pace.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * Copies of writes that have ended: each is waited for until it is acknowledged or overdue. Then the
 * fact of where the write is, once; and a hint for those who have missed it.
 */
export class LateCopies {
  readonly #self: NodeId;
  readonly #pace: WritePace;

  constructor(self: NodeId, pace: WritePace) {
    this.#self = self;
    this.#pace = pace;
  }

  /** The write has ended: it is answered in this step. */
  ended(pending: PendingWrite, nowMs: number, effects: Fx): void {
    if (pending.phase === "learn") return;
    if (pending.answers.complete) recordWrite(pending, effects);
    else this.#pace.lag(pending, nowMs);
  }

  /** An acknowledgement of a copy whose write was answered before. False: it is of none. */
  onAck(from: Sender, ack: WriteAck, requestId: number, effects: Fx): boolean {
    const holds = ack.verdict === "stored" || ack.verdict === "equal";
    const late = this.#pace.onAck(requestId, from.node, holds);
    if (late === undefined) return false;
    if (late.answers.complete) recordWrite(late, effects);
    return true;
  }

  /** Those whose acknowledgements are overdue; repair finds their copies. */
  giveUp(nowMs: number, effects: Fx): void {
    for (const overdue of this.#pace.giveUp(nowMs)) {
      recordWrite(overdue, effects);
      this.hint(overdue, effects);
    }
  }

  hint(pending: PendingWrite, effects: Fx): void {
    const missed = missedWrite(pending, this.#self);
    if (missed === undefined) return;
    const { shardIndex } = pending.request.operation;
    effects.send(missed.holder, "replica", shardIndex, missed.hint, "bulk");
  }
}
