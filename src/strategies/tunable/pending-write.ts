import type { Request } from "../../core/contracts/machine.ts";
import { type Stamp, ZERO_STAMP } from "../../core/model/stamp.ts";
import { type Demand, isMetBy } from "../leaderless/demand.ts";
import type { ReplicaAnswers, ReplicaMask } from "../leaderless/replica-answers.ts";
import type { GivenInWrite } from "./given-stamps.ts";

/** A request's memo while it is written. */
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

/** A write that met only refusals is stamped again at most this often. */
const MAX_ATTEMPTS = 8;

/** Only where every recipient refused and none stored is a second stamp still one write. */
export function mayStampAgain(pending: PendingWrite): boolean {
  const { fixedStamp, stored, sentAgain, newer, sentTo, attempts } = pending;
  return (
    fixedStamp === undefined &&
    !stored &&
    !sentAgain &&
    newer !== 0 &&
    newer === sentTo &&
    attempts < MAX_ATTEMPTS
  );
}
