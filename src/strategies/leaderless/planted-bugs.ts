import type { PlantedChangeBugs } from "./place/place-change.ts";

/**
 * Bugs of a replica that tests switch on to show that they would be found. Nothing but a test makes
 * a strategy with one of them; each changes one condition.
 */
export interface PlantedReplicaBugs extends PlantedChangeBugs {
  /** Repair and write-back are stored though the replica holds something newer. */
  readonly repairOverwritesNewer?: boolean;
  /** A write is stored though the replica holds something newer. */
  readonly olderOverwritesNewer?: boolean;
  /** What a rebuild streams is stored though the replica has taken something newer meanwhile. */
  readonly rebuildOverwritesNewer?: boolean;
  /** A deletion leaves nothing behind that an older version would lose against. */
  readonly tombstoneForgotten?: boolean;
  /** A replica that has lost its state takes itself for whole. */
  readonly emptyReplicaServes?: boolean;
  /** One source is enough for a rebuild. */
  readonly rebuildFromOne?: boolean;
  /** A replica that is being rebuilt says that it serves. */
  readonly rebuildingVotes?: boolean;
  /** What was made for an older epoch of the shard's map is done all the same. */
  readonly olderEpochAccepted?: boolean;
  /** While a change of the shard's replicas is pending, writes need their count in the new set alone. */
  readonly countedOnNewOnly?: boolean;
  /** Of two stamps with one time the one that was there first wins, wherever it is. */
  readonly tiesBrokenDifferently?: boolean;
  /** What is handed over is stored though the replica holds something newer. */
  readonly hintsOverwriteNewer?: boolean;
  /** A hint stays, though its target has acknowledged it. */
  readonly hintsNeverDeleted?: boolean;
  /** The hash tree goes on with what it has once summed up, whatever is written. */
  readonly treeNotKeptInStep?: boolean;
  /** Of a span of large values what goes beyond one message is never compared. */
  readonly restOfSpanUntold?: boolean;
  /** What has expired leaves nothing behind that an older version would lose against. */
  readonly expiredIsForgotten?: boolean;
  /** What has expired stays as it was. */
  readonly expiredIsShown?: boolean;
  /** Watches are not told what anti-entropy, hints and streams bring. */
  readonly repairIsNotTold?: boolean;
  /** A read shows what it finds, whatever its session has seen. */
  readonly sessionIgnored?: boolean;
  /** What a session reads is not kept for its next read. */
  readonly sessionForgetsReads?: boolean;
  /** What the log has above the state is not read back. */
  readonly replayForgotten?: boolean;
  /** A floor is taken for settled by all before anybody was asked. */
  readonly settlesWithoutProof?: boolean;
  /** What is handed over is taken, though it lies below the floor and is not held. */
  readonly floorIgnoredByHandoff?: boolean;
  /** So is what anti-entropy brings. */
  readonly floorIgnoredByAntiEntropy?: boolean;
  /** A client's write is taken, though it is older than what this replica has promised. */
  readonly fenceIgnored?: boolean;
  /** A replica that was away while others reaped goes on with what it holds. */
  readonly oldReplicaMerges?: boolean;
}

export const NO_PLANTED_REPLICA_BUGS: PlantedReplicaBugs = Object.freeze({});
