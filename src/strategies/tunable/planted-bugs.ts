/**
 * Bugs that tests switch on to show that they would be found. Nothing but a test makes a strategy
 * with one of them; each changes one condition.
 */
export interface PlantedBugs {
  /** `strong` writes stamp without learning the greatest stamp. */
  readonly strongWriteDoesNotLearn?: boolean;
  /** `strong` reads answer without writing back. */
  readonly strongReadDoesNotWriteBack?: boolean;
}

export const NO_PLANTED_BUGS: PlantedBugs = Object.freeze({});
