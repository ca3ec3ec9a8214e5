/**
 * Bugs of the log that tests switch on to show that they would be found. Nothing but a test opens a
 * log with one of them; each changes one condition.
 */
export interface PlantedLogBugs {
  /** What has to be synced is called durable once it is written. */
  readonly syncNotAwaited?: boolean;
  /** A batch that is missing below the mark is passed over, as if the log had ended there. */
  readonly damageCutAsTail?: boolean;
  /** A torn batch behind the mark counts. */
  readonly tornTailAccepted?: boolean;
}

export const NO_PLANTED_LOG_BUGS: PlantedLogBugs = Object.freeze({});
