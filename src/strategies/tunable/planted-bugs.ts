import type { PlantedReplicaBugs } from "../leaderless/planted-bugs.ts";

/**
 * Bugs that tests switch on to show that they would be found. Nothing but a test makes a strategy
 * with one of them; each changes one condition.
 */
export interface PlantedBugs extends PlantedReplicaBugs {
  /** `strong` writes stamp without learning the greatest stamp. */
  readonly strongWriteDoesNotLearn?: boolean;
  /** `strong` reads answer without writing back. */
  readonly strongReadDoesNotWriteBack?: boolean;
  /** A write succeeds with one acknowledgement less than its level needs. */
  readonly oneAcknowledgementLess?: boolean;
  /** The copy of the coordinator's own node counts twice. */
  readonly ownCopyCountsTwice?: boolean;
  /** A read answers with the oldest version that it was told. */
  readonly stalestAnswers?: boolean;
  /** A write that a replica refused for a newer one counts as held there. */
  readonly supersededIsHeld?: boolean;
  /** A retry is stamped anew, whatever its operation id says. */
  readonly operationIdForgotten?: boolean;
  /** A write that was sent and not confirmed is said not to be applied. */
  readonly sentIsNotApplied?: boolean;
  /** Acknowledgements of a replica's old self go on counting, and old ones too. */
  readonly oldSelfCounts?: boolean;
  /** A read is answered with one answer less than its level needs. */
  readonly oneAnswerLess?: boolean;
  /** A digest is taken for that of the record that is there. */
  readonly digestMismatchIgnored?: boolean;
  /** A replica that is asked by way of hedging counts for the one that it stands for, too. */
  readonly hedgeCountsTwice?: boolean;
  /** `each-quorum` counts answers, wherever they are from. */
  readonly eachCountedOverAll?: boolean;
}

export const NO_PLANTED_BUGS: PlantedBugs = Object.freeze({});
