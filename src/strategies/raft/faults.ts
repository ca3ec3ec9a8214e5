import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";

/** Nothing was sent, or what was sent was refused: no replica will act upon it. */
export function unavailable(
  what: string,
  replicas: readonly NodeId[],
  reachable: readonly NodeId[],
): CapstanError {
  const have = reachable.length === 0 ? "none" : reachable.join(", ");
  return new CapstanError(
    "UNAVAILABLE",
    `${what}; replicas: ${replicas.join(", ")}; reachable: ${have}`,
    { details: { replicas, reachable } },
  );
}

export function noMajority(
  level: Level,
  replicas: readonly NodeId[],
  reachable: readonly NodeId[],
): CapstanError {
  return unavailable(
    `level ${level} needs a majority of the shard's replicas`,
    replicas,
    reachable,
  );
}

/** Of a write, or of all those of a batch together: they are one record of the log. */
export function tooLarge(writes: number, bytes: number, mostBytes: number): CapstanError {
  const what = writes === 1 ? "the write" : `the batch of ${writes} writes`;
  return new CapstanError(
    "VALUE_TOO_LARGE",
    `${what} has ${bytes} bytes with its keys and values; at most ${mostBytes} take effect together`,
    { details: { bytes, mostBytes } },
  );
}

/** What no replica could decode would stop all of them, at every start. */
export function tooMany(writes: number, most: number): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `a batch of ${writes} writes; at most ${most} take effect together`,
    { details: { writes, most } },
  );
}

/** @param operationId of a write of which a copy may be in some replica's log. */
export function quorumLost(shardIndex: number, operationId?: string): CapstanError {
  return new CapstanError(
    "QUORUM_LOST",
    `shard ${shardIndex} has lost a majority of its replicas' stores: those left cannot elect a leader ` +
      "before a lost store is back, or the shard is recovered with what is left (`capstan members recover`); " +
      "reads at the level stale are served where a copy is left",
    operationId === undefined ? {} : { outcome: "unknown", operationId },
  );
}

export function otherChange(shardIndex: number): CapstanError {
  return new CapstanError(
    "CONTENDED",
    `another change of the replicas of shard ${shardIndex} is under way; asking for the replicas ` +
      "that are in force takes it back while they still decide alone",
  );
}

/** Its one node begins the shard anew when its store is lost, wherever the shard lies by then. */
export function bornAlone(shardIndex: number, node: NodeId): CapstanError {
  return new CapstanError(
    "NOT_SUPPORTED",
    `shard ${shardIndex} is placed on ${node} alone (replicas: 1), which would begin it anew if its ` +
      "store were lost after the shard had gone; shards with two or more replicas can be changed",
  );
}

export function quorumPresent(shardIndex: number): CapstanError {
  return new CapstanError(
    "QUORUM_PRESENT",
    `a majority of the replicas of shard ${shardIndex} can be reached: nothing of it has to be ` +
      "accepted as lost",
  );
}

export function noReplicaHere(
  node: NodeId,
  shardIndex: number,
  replicas: readonly NodeId[],
): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `node ${node} has no replica of shard ${shardIndex} that could go on alone; ask one that has: ` +
      replicas.filter((replica) => replica !== node).join(", "),
    { allowed: replicas.filter((replica) => replica !== node) },
  );
}

export function changeUnknown(
  shardIndex: number,
  goal: readonly NodeId[],
  cause: CapstanError,
): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `${cause.message}: the change of shard ${shardIndex} to ${goal.join(", ")} may be under way; ` +
      "asking for it again is the same change",
    { cause },
  );
}

export function unknownOutcome(what: string, operationId: string): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `${what}: it may or may not take effect; a retry with the operation id is the same write, ` +
      "and store.resolve(operationId) settles it",
    { operationId },
  );
}

export function fenced(operationId: string): CapstanError {
  return new CapstanError(
    "OPERATION_FENCED",
    `store.resolve has settled the operation ${operationId} as not applied; take a new id`,
  );
}

/** Whether an earlier copy took effect nobody knows any more. */
export function expired(operationId: string): CapstanError {
  return new CapstanError(
    "OPERATION_ID_EXPIRED",
    `the operation id ${operationId} is older than what the shard remembers; nothing was written ` +
      "now, and whether it was before is not known",
    { operationId },
  );
}

export function reused(operationId: string): CapstanError {
  return new CapstanError(
    "OPERATION_ID_REUSED",
    `operation id ${operationId} was used for another key or another value`,
  );
}

export function invalidVersion(version: string, keyspace: string): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `ifVersion ${JSON.stringify(version.slice(0, 60))} is not a version of the keyspace "${keyspace}"`,
    { details: { option: "ifVersion" } },
  );
}

export function otherLife(): CapstanError {
  return new CapstanError(
    "INVALID_SESSION",
    "the session has seen data that all replicas of its shard have lost since; begin another one",
  );
}
