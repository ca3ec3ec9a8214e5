import type { PlantedReplicaBugs } from "../leaderless/planted-bugs.ts";

/**
 * Bugs that tests switch on to show that they would be found. Nothing but a test makes a strategy
 * with one of them; each changes one condition.
 */
export interface PlantedDynamoBugs extends PlantedReplicaBugs {
  /** A replica goes on under the actor of its earlier start, and counts from 1 again. */
  readonly actorReused?: boolean;
  /** A retry, or a message that comes twice, is minted again. */
  readonly mintedTwice?: boolean;
  /** A forward that is not answered is sent to another minter. */
  readonly secondMinter?: boolean;
  /** Stand-ins count towards the level. */
  readonly standInsCount?: boolean;
  /** A write replaces all that its minter holds, whatever its context says. */
  readonly contextIgnored?: boolean;
  /** A write without a context replaces what its minter holds. */
  readonly blindWriteReplaces?: boolean;
  /** The version of a write says that its client has seen all that stands beside it. */
  readonly receiptCoversUnseen?: boolean;
  /** The maker of a version sends it on before it keeps it, and does not keep it. */
  readonly minterKeepsNothing?: boolean;
  /** Merging takes the record with the greater time instead of the versions of both. */
  readonly newestRecordWins?: boolean;
  /** A merge of states keeps one of the two. */
  readonly statesNotJoined?: boolean;
  /** An element that one side has removed is there again once it meets a side that has it. */
  readonly removedElementReturns?: boolean;
  /** A delta is joined to a copy that lacks what it rests on. */
  readonly deltaAcrossGap?: boolean;
  /** A delta is kept as if it were the whole state. */
  readonly deltaTakenForState?: boolean;
  /** A write succeeds with one acknowledgement less than its level needs. */
  readonly oneAcknowledgementLess?: boolean;
  /** A digest is taken for that of the record that is there. */
  readonly digestMismatchIgnored?: boolean;
  /** A replica that is asked by way of hedging counts for the one that it stands for, too. */
  readonly hedgeCountsTwice?: boolean;
  /** `each-quorum` counts answers, wherever they are from. */
  readonly eachCountedOverAll?: boolean;
  /** A write that was sent and not confirmed is said not to be applied. */
  readonly sentIsNotApplied?: boolean;
  /** Names go from contexts before it is known that every replica has their events. */
  readonly actorsRetiredWithoutProof?: boolean;
  /** An actor counts from 1 again once a key of it was reaped. */
  readonly counterReusedAfterReaping?: boolean;
}

export const NO_PLANTED_DYNAMO_BUGS: PlantedDynamoBugs = Object.freeze({});
