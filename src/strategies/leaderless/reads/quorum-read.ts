import type { Request } from "../../../core/contracts/machine.ts";
import type { Demand } from "../demand.ts";
import type { ReplicaAnswers, ReplicaMask } from "../replica-answers.ts";
import type { DigestedRead } from "./digests.ts";
import type { HedgedRead } from "./hedges.ts";

/** Part of its time after which a read that asked only as many as it needs asks the others. */
const WIDEN_AFTER_PART = 0.5;

export interface QuorumReadParts {
  readonly request: Request;
  readonly key: Uint8Array;
  readonly shardIndex: number;
  readonly demand: Demand;
  readonly answers: ReplicaAnswers;
  readonly roundId: number;
  readonly nowMs: number;
  readonly deadlineMs: number;
}

/** A read of one key under way: whom it has asked, and what they have answered. */
export class QuorumRead implements HedgedRead, DigestedRead {
  readonly request: Request;
  readonly key: Uint8Array;
  readonly shardIndex: number;
  readonly demand: Demand;
  readonly answers: ReplicaAnswers;
  /** Per replica: what it answered. */
  readonly records: (Uint8Array | undefined)[];
  /** Names it on the wire. */
  readonly roundId: number;
  readonly startedAtMs: number;
  /** When to ask the replicas that were not asked at first. */
  readonly widenAtMs: number;
  /** When late answers are not waited for any more. */
  readonly endAtMs: number;
  /** Answered; late answers still come, for read repair. */
  answered = false;
  hedgeAtMs = Number.POSITIVE_INFINITY;
  hedgedAtMs = 0;
  hedged: ReplicaMask = 0;
  digests: ReplicaMask = 0;
  digestBytes: number[] | undefined = undefined;
  fullAsked: ReplicaMask = 0;

  constructor(parts: QuorumReadParts) {
    const { answers, nowMs, deadlineMs } = parts;
    this.request = parts.request;
    this.key = parts.key;
    this.shardIndex = parts.shardIndex;
    this.demand = parts.demand;
    this.answers = answers;
    this.records = new Array(answers.total).fill(undefined);
    this.roundId = parts.roundId;
    this.startedAtMs = nowMs;
    this.widenAtMs = nowMs + (deadlineMs - nowMs) * WIDEN_AFTER_PART;
    this.endAtMs = deadlineMs;
  }
}
