import type { NodeId } from "../../core/model/ids.ts";
import type {
  ConfigurationPoint,
  MembersMessage,
  RecoverMessage,
  ReplicaRefusal,
} from "./client-messages.ts";
import { isJoint, type Member } from "./configuration.ts";
import type { ConsensusEffects, Moment, ShardConsensus } from "./consensus-types.ts";

/** What a replica says to a coordinator that asks who holds the shard, or shall hold it. */
export function verdictOn(
  consensus: ShardConsensus,
  message: MembersMessage | RecoverMessage,
  serving: boolean,
  at: Moment,
  effects: ConsensusEffects,
): ReplicaRefusal | "done" {
  if (message.type === "recover") return recoverShard(consensus, message.isBegun, at, effects);
  return serving ? changeMembers(consensus, message, at, effects) : "not-serving";
}

/**
 * One question of a coordinator that wants these nodes, and no others, to hold the shard. It asks
 * until it hears `done`: the goal stands in the log, so that whoever leads then knows of it, and a
 * change that was lost with a leader's uncommitted entry is begun anew.
 *
 * It begins only from the configuration that the coordinator has heard is in force: its question is
 * asked more than once, and one that comes when the change has ended begins nothing. Also where the
 * goal is in force already a configuration is written, once: what was asked for before, and given
 * up, would otherwise begin after this one was said to be done.
 *
 * Without nodes it is the question who holds the shard.
 */
function changeMembers(
  consensus: ShardConsensus,
  { goal, base, renews }: MembersMessage,
  at: Moment,
  effects: ConsensusEffects,
): ReplicaRefusal | "done" {
  const { standing, configuration } = consensus;
  if (standing.role !== "leader")
    return consensus.lostVoters === undefined ? "not-leader" : "quorum-lost";
  if (goal.length === 0) return "done";
  const { voters } = configuration;
  const target = configuration.goal?.voters ?? (isJoint(configuration) ? voters : undefined);
  if (target !== undefined) {
    if (isOf(target, goal)) return "changing";
    // Before it decides anything a change can be taken back, by asking for what is in force.
    if (isJoint(configuration) || !isOf(voters, goal)) return "other-change";
  }
  // Asked for again and late, it may have been done, and another change after it.
  if (!isInForce(consensus, base)) return "other-base";
  const change = { voters: goal, learners: [], renews };
  const { refused } = consensus.proposeConfiguration(change, at, effects);
  switch (refused) {
    case undefined:
      return "changing";
    case "unchanged":
      return "done";
    case "not-leader":
      return "not-leader";
    default:
      return "not-yet";
  }
}

/** Likewise, of one who accepts that what only the other replicas had is lost. */
function recoverShard(
  consensus: ShardConsensus,
  isBegun: boolean,
  at: Moment,
  effects: ConsensusEffects,
): ReplicaRefusal | "done" {
  if (isBegun) {
    // Who leads the group that it has begun has committed all that it had, once it serves.
    return consensus.standing.role === "leader" && consensus.serving ? "done" : "changing";
  }
  switch (consensus.recover(at, effects)) {
    case undefined:
      return "changing";
    case "quorum-present":
      return "quorum-present";
    case "not-open":
      return "not-serving";
  }
}

function isInForce(
  { configurationGroup, configurationIndex }: ShardConsensus,
  base: ConfigurationPoint | undefined,
): boolean {
  return base?.group === configurationGroup && base.index === configurationIndex;
}

function isOf(members: readonly Member[], nodes: readonly NodeId[]): boolean {
  return members.length === nodes.length && members.every(({ node }) => nodes.includes(node));
}
