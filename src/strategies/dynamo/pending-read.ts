import type { NodeId } from "../../core/model/ids.ts";
import { QuorumRead, type QuorumReadParts } from "../leaderless/reads/quorum-read.ts";
import type { ReplicaAnswers } from "../leaderless/replica-answers.ts";

/** A read under way. */
export class PendingRead extends QuorumRead {
  readonly standIns: ReplicaAnswers;
  /** All answers as one; whoever they are from, nothing that is known is left out. */
  merged: Uint8Array | undefined = undefined;

  constructor(parts: QuorumReadParts, standIns: ReplicaAnswers) {
    super(parts);
    this.standIns = standIns;
  }

  /** Of those who were asked, nobody's answer is awaited. */
  get isAnsweredByAll(): boolean {
    return this.answers.complete && this.standIns.complete;
  }

  /** Whoever they are, and whether they count or not. */
  get heard(): readonly NodeId[] {
    const { answers, standIns } = this;
    return [...answers.nodesOf(answers.answered), ...standIns.nodesOf(standIns.answered)];
  }
}
