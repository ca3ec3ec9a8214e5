import type { Request, ShardPlacement } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { encodeOperationId } from "../../core/model/operation-id.ts";
import { type Stamp, ZERO_STAMP } from "../../core/model/stamp.ts";
import { type Demand, isMetBy } from "../leaderless/demand.ts";
import type { WriteVerdict } from "../leaderless/messages.ts";
import { ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import type { GivenInWrite } from "./given-stamps.ts";

/**
 * One write under way, and what replicas have said of it: a request's memo. It is stamped, once or,
 * where all have refused it, again; what is sent under one stamp is one version, however many rounds
 * it takes. What `standingOf` makes of it is another matter.
 *
 * Invariants:
 * - `held`, `newer`, `skewed`, `reused` and `outdated` are of the round that runs, without common
 *   bits, and within `answers.answered`; `sentTo` is of the stamp, over all its rounds;
 * - `stored` and `sentAgain` are never taken back while the stamp is the same: what may be out there
 *   does not come home because a replica has lost it, or because a later round knows nothing of it.
 */
export class PendingWrite {
  readonly request: Request;
  /** Changes where others come to hold the shard. */
  demand: Demand;
  /** Given by an operation id: the write has this stamp or none. */
  readonly fixedStamp: Stamp | undefined;
  /**
   * When its value is gone, in milliseconds of wall time. The same in every round and every try: the id
   * that a fault carries says it.
   */
  readonly expiresAtMs: number | undefined;
  /** Names this round on the wire; late answers to an earlier round meet nobody. */
  roundId = 0;
  phase: "learn" | "write" = "learn";
  /** Answered; copies of it may still be on their way to replicas. */
  ended = false;
  /** Met its level, and is held back until the replicas have caught up. */
  paced = false;
  answers: ReplicaAnswers;
  stamp: Stamp = ZERO_STAMP;
  /** The stamp's token, once it was answered. */
  version: string | undefined = undefined;
  /** What a stamp beyond the clock guard follows. */
  proof: Stamp | undefined = undefined;
  /** When this round began; no acknowledgement of it is older. */
  roundAtMs = 0;
  /** Replicas that were sent this stamp, in this round or an earlier one. */
  sentTo: ReplicaMask = 0;
  /** Greatest stamp that any replica or context has shown. */
  newest: Stamp;
  /** Replicas that hold exactly this version, whether they count or not. */
  held: ReplicaMask = 0;
  /** Replicas that hold a newer one and have not stored it. */
  newer: ReplicaMask = 0;
  skewed: ReplicaMask = 0;
  reused: ReplicaMask = 0;
  /** Replicas that have not looked at it: they know a newer map of the shard. */
  outdated: ReplicaMask = 0;
  /** A copy was taken somewhere, perhaps by a replica that has since lost it. */
  stored = false;
  /**
   * This stamp was sent in an earlier round too: a replica that refuses it now for a newer one may
   * have stored it then, so that no refusal says any more that it was stored nowhere.
   */
  sentAgain = false;
  attempts = 0;

  constructor(request: Request, demand: Demand, answers: ReplicaAnswers, given: GivenInWrite) {
    this.request = request;
    this.demand = demand;
    this.fixedStamp = given.fixedStamp;
    this.answers = answers;
    this.newest = given.seen;
    this.expiresAtMs = given.expiresAtMs;
  }

  /** From here on it is another version than before. */
  stampAs(stamp: Stamp, proof: Stamp | undefined): void {
    this.stamp = stamp;
    this.proof = proof;
    this.sentTo = 0;
    this.phase = "write";
    this.attempts++;
  }

  /** Counts from nothing, and only answers that name this round. */
  beginRound(roundId: number, asked: ReplicaMask, nowMs: number): void {
    if (this.roundId !== 0) {
      this.answers = new ReplicaAnswers(this.answers.placement);
      this.held = 0;
      this.newer = 0;
      this.skewed = 0;
      this.reused = 0;
      this.outdated = 0;
    }
    this.roundId = roundId;
    this.roundAtMs = nowMs;
    this.answers.asked = asked;
  }

  /** The replica of this bit, of which this is the first answer of the round, has said so. */
  take(verdict: WriteVerdict, bit: ReplicaMask): void {
    switch (verdict) {
      case "stored":
      case "equal":
        this.held |= bit;
        this.stored = true;
        break;
      case "newer":
        this.newer |= bit;
        break;
      case "skewed":
        this.skewed |= bit;
        break;
      case "reused":
        this.reused |= bit;
        break;
    }
  }

  /** What the old self of a replica held is void; that a copy was out there is not. */
  void(peer: NodeId): void {
    const bit = this.answers.void(peer);
    this.held &= ~bit;
    this.newer &= ~bit;
  }

  /** Others hold the shard now: the next round, which has to begin at once, is theirs. */
  moveTo(placement: ShardPlacement, demand: Demand): void {
    // What everybody refused unseen is no earlier try.
    if (this.phase === "write" && !isOnlyOutdated(this)) this.sentAgain = true;
    this.demand = demand;
    this.answers = new ReplicaAnswers(placement);
    this.sentTo = 0;
  }
}

/** The id under which a retry is the same write: the one it came with, or one that its stamp makes. */
export function operationIdOf(pending: PendingWrite, keyspaceHash: number): string {
  const { stamp, expiresAtMs, request } = pending;
  const { operationId, key } = request.operation;
  return operationId ?? encodeOperationId({ keyspaceHash, stamp, key, expiresAtMs });
}

/** As many replicas as the level needs hold it, and none of those asked holds a newer one. */
export function isMet({ held, newer, answers, demand }: PendingWrite): boolean {
  return newer === 0 && isMetBy(demand, held & answers.counted);
}

/** Nobody stored it, and whoever was sent a copy has refused it. */
export function isRefusedByAll(pending: PendingWrite): boolean {
  const { stored, newer, skewed, reused, outdated, sentTo } = pending;
  return !stored && (newer | skewed | reused | outdated) === sentTo;
}

/** Whoever was sent a copy has refused it unseen, under a newer map. */
export function isOnlyOutdated({ stored, outdated, sentTo }: PendingWrite): boolean {
  return !stored && outdated === sentTo && sentTo !== 0;
}

/** No earlier try, of its operation id or of an earlier round, may have been stored. */
export function isFirstTry({ fixedStamp, sentAgain }: PendingWrite): boolean {
  return fixedStamp === undefined && !sentAgain;
}

/**
 * Its id names a time that is before what its writer has seen: it would lose to that wherever they
 * meet, also where nobody who is asked notices. The very time may be that of an earlier try of it.
 */
export function isBehindSeen({ fixedStamp, newest }: PendingWrite): boolean {
  return fixedStamp !== undefined && fixedStamp.time < newest.time;
}
