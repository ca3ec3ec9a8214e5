import type { ShardMap } from "../../../core/contracts/machine.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { Level } from "../../../core/model/levels.ts";
import { stageOf } from "./shard-map.ts";

/** Another change of the shard is under way. */
export function otherChange(shardIndex: number, map: ShardMap): CapstanError {
  const { replicas, pending, leaving } = map;
  const [from, to] = pending === undefined ? [leaving ?? replicas, replicas] : [replicas, pending];
  const allowed = stageOf(map) === "pending" ? [to, from] : [to];
  return new CapstanError(
    "CONTENDED",
    `shard ${shardIndex} is being moved from ${from.join(", ")} to ${to.join(", ")}; until that is ` +
      `done, only ${allowed.map((nodes) => nodes.join(", ")).join(" or ")} can be asked for`,
    { details: { shard: shardIndex, from, to } },
  );
}

/** Its end was not seen in time. */
export function unfinished(
  shardIndex: number,
  map: ShardMap,
  available: readonly NodeId[],
): CapstanError {
  const { epoch, replicas, pending, leaving } = map;
  const have = available.length === 0 ? "none" : available.join(", ");
  return new CapstanError(
    "UNAVAILABLE",
    `too few of those who hold shard ${shardIndex} (${replicas.join(", ")}) have answered in time, ` +
      `or have what its change asks of them; available: ${have}`,
    { details: { shard: shardIndex, epoch, stage: stageOf(map), replicas, pending, leaving } },
  );
}

export function changeUnknown(
  shardIndex: number,
  goal: readonly NodeId[],
  cause: CapstanError,
): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `the change of shard ${shardIndex} to ${goal.join(", ")} may be under way: ${cause.message}; ` +
      "it is finished without the caller, too; asking for it again tells of its end, asking for the " +
      "replicas of before takes it back",
    { cause, details: { ...cause.details, goal } },
  );
}

/** A copy can go on without the others only where there is one. */
export function noReplicaHere(
  node: NodeId,
  shardIndex: number,
  replicas: readonly NodeId[],
): CapstanError {
  const allowed = replicas.filter((replica) => replica !== node);
  return new CapstanError(
    "INVALID_ARGUMENT",
    `node ${node} holds no replica of shard ${shardIndex}; ask one that does: ${allowed.join(", ")}`,
    { allowed },
  );
}

/** The copy was told to wait for nobody who cannot be reached, and does not serve yet. */
export function recoveryUnknown(
  shardIndex: number,
  node: NodeId,
  reachable: readonly NodeId[],
  cause: CapstanError,
): CapstanError {
  const sources = reachable.filter((each) => each !== node);
  const have = sources.length === 0 ? "nobody else" : sources.join(", ");
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `the replica of shard ${shardIndex} at ${node} waits for nobody any more who cannot be reached, ` +
      `but does not serve yet; it learns what can be had from ${have}, and serves then without a ` +
      "further word; asking again tells of it",
    { cause, details: { shard: shardIndex, reachable: sources } },
  );
}

/** The keyspace's own level could not be met any more. */
export function levelBeyond(level: Level, goal: readonly NodeId[]): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `replicas names ${goal.length} nodes, and the keyspace's level ${level} needs more`,
    { details: { option: "replicas", level } },
  );
}
