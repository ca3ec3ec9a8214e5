/** Of how a shard is recovered whose majority is lost for good. */
export interface PlantedRecoveryBugs {
  /** A recovered shard goes on in the next term of the group that it was. */
  readonly recoveredInOldGroup?: boolean;
  /** Who hears of a later group goes on in it with what it has. */
  readonly supersededCounts?: boolean;
  /** A restart forgets that what is here is another group's. */
  readonly supersededForgotten?: boolean;
}

/** Of changes of a shard's replicas: what few worlds show. */
export interface PlantedMembershipBugs {
  /** A leader whose earlier store has come back waits for the one that was to take its place. */
  readonly ownStoreAwaited?: boolean;
  /** Asked for the replicas in force, a leader leaves the goal of another change standing. */
  readonly goalLeftStanding?: boolean;
}

/** Of shards whose deciding replicas are damaged: see `Clearance`. */
export interface PlantedClearanceBugs {
  /** Where damaged replicas decide an election, nobody but the voters is asked. */
  readonly othersNotAsked?: boolean;
}

/**
 * Bugs of the consensus that tests switch on to show that they would be found. Nothing but a test
 * makes one; each changes one condition.
 */
export interface PlantedConsensusBugs
  extends PlantedRecoveryBugs,
    PlantedMembershipBugs,
    PlantedClearanceBugs {
  /** Term and vote are kept in memory alone. */
  readonly voteNotKept?: boolean;
  /** The no-op and what else an earlier term left is committed by counting replicas (Figure 8). */
  readonly oldTermCommitted?: boolean;
  /** A leader gives out its commit index before it has committed an entry of its own term. */
  readonly readBeforeOwnCommit?: boolean;
  /** A leader answers reads without asking whether it still is one. */
  readonly readUnconfirmed?: boolean;
  /** Whoever believes that it leads takes its lease for valid. */
  readonly leaseByRole?: boolean;
  /** A leader that hears from nobody goes on leading, and a vote is given in spite of promises. */
  readonly quorumUnchecked?: boolean;
  /** A greater term in a vote request takes effect though a leader is being heard. */
  readonly promiseForgotten?: boolean;
  /** Voters are exchanged in one step, without a joint configuration. */
  readonly jointSkipped?: boolean;
  /** A configuration is in force from its commit on, not from its append. */
  readonly configurationAtCommit?: boolean;
  /** A learner votes before it has what the others have. */
  readonly unreadyPromoted?: boolean;
  /** A snapshot is taken for everything up to the end of the sender's log. */
  readonly snapshotBeyondState?: boolean;
  /** A snapshot is installed though the state has more. */
  readonly snapshotInstalledOverNewer?: boolean;
  /** What a restart finds in the log is applied again from the first entry that is there. */
  readonly appliedTwice?: boolean;
  /** A replica that may lack its tail votes, and counts, like the others. */
  readonly lostTailVotes?: boolean;
  /** A node votes as soon as it has started. */
  readonly startSilenceSkipped?: boolean;
  /** A follower vouches for entries that are not durable. */
  readonly ackBeforeDurable?: boolean;
  /** The leader counts its own copy before it is durable. */
  readonly leaderCountsUnsynced?: boolean;
}

export const NO_PLANTED_CONSENSUS_BUGS: PlantedConsensusBugs = Object.freeze({});

/**
 * The same for what stands around the consensus: the state machine, the answers to reads, and what
 * coordinators make of answers.
 */
export interface PlantedReplicaBugs {
  /** Nobody looks whether an operation was met before: its retry is another write. */
  readonly retryAppliedTwice?: boolean;
  /** A read is answered from the state as it is, whatever its session has seen. */
  readonly sessionNotAwaited?: boolean;
  /** A write is done whatever its condition says. */
  readonly conditionIgnored?: boolean;
  /** A write is done although its condition is answered as not met. */
  readonly refusedIsWritten?: boolean;
  /** Of a batch the last write is left out. */
  readonly batchInParts?: boolean;
  /** What was found due is removed though it was written again meanwhile. */
  readonly sweptThoughRewritten?: boolean;
  /** Watchers are told of the first change of an entry alone. */
  readonly changesOfBatchDropped?: boolean;
  /** A watch is in step with what its replica has, whatever was acknowledged elsewhere. */
  readonly watchUnconfirmed?: boolean;
  /** Who answers that a write was not proposed to it takes one back that was sent to somebody else. */
  readonly questionIsNoCopy?: boolean;
}

export const NO_PLANTED_REPLICA_BUGS: PlantedReplicaBugs = Object.freeze({});

/** Likewise, of how resting shards are vouched for. */
export interface PlantedPairBugs {
  /** A resting follower never stops believing in a leader whose node has fallen silent. */
  readonly silenceBelieved?: boolean;
  /** What a leader vouches for is not compared with what is followed. */
  readonly digestIgnored?: boolean;
}

export const NO_PLANTED_PAIR_BUGS: PlantedPairBugs = Object.freeze({});
