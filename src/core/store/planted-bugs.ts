/**
 * Bugs of the host that tests switch on to show that they would be found. Nothing but a test
 * assembles a store with one of them; each changes one condition.
 */
export interface PlantedHostBugs {
  /** Words leave before what they vouch for is durable. */
  readonly wordsBeforeDurability?: boolean;
  /** A shard that may lack its tail after a crash is trusted. */
  readonly incompleteShardTrusted?: boolean;
  /** A peer that runs on an older copy of its data is met like any other. */
  readonly oldCopyAccepted?: boolean;
  /** A store that comes back after another one of its node is taken as it was. */
  readonly followedStoreTrusted?: boolean;
  /** A doubled frame is taken twice. */
  readonly doubledFrameTaken?: boolean;
  /** The clock of a start knows nothing of how far that of an earlier start has come. */
  readonly clockBackAfterRestart?: boolean;
  /** The clock follows any stamp, however far it is ahead. */
  readonly clockGuardIgnored?: boolean;
  /** What a step makes of the state is committed before its log records are durable. */
  readonly stateBeyondLog?: boolean;
  /** What is waiting for the log is not committed when it is durable, and answered all the same. */
  readonly commitForgotten?: boolean;
}

export const NO_PLANTED_HOST_BUGS: PlantedHostBugs = Object.freeze({});
