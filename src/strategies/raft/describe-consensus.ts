import type { NodeId } from "../../core/model/ids.ts";
import { type Configuration, isJoint, isMember } from "./configuration.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { Election } from "./election.ts";
import { groupOf } from "./group.ts";
import type { Leadership } from "./leadership.ts";

/** What health, console and tests read of a shard's consensus. */
export function describeConsensus(
  core: ConsensusCore,
  { isQuorumLost, awaited }: Election,
  leadership: Leadership | undefined,
): Readonly<Record<string, unknown>> {
  return {
    state: stateOf(core),
    quorumLost: isQuorumLost,
    awaited,
    group: groupOf(core.term),
    isVoter: core.isVoter,
    deciders: decidersOf(core.configuration),
    configurationIndex: core.configurationIndex,
    // Until then the voters before it may still be the ones who decide.
    isSettled: !isJoint(core.configuration) && core.history.index <= core.commitIndex,
    resting: core.isResting,
    commitIndex: core.commitIndex,
    appliedIndex: core.appliedIndex,
    lastIndex: core.log.lastIndex,
    lastTerm: core.log.lastTerm,
    memoryBytes: core.log.memoryBytes,
    ...(leadership === undefined ? {} : describeLeadership(core, leadership)),
  };
}

/** Sets of nodes: a decision needs a majority of each. Two while the configuration is joint. */
function decidersOf({ voters, outgoing }: Configuration): readonly (readonly NodeId[])[] {
  const sets = outgoing.length === 0 ? [voters] : [voters, outgoing];
  return sets.map((members) => members.map(({ node }) => node));
}

function stateOf({ isOpen, superseded, recovering }: ConsensusCore): string {
  if (!isOpen) return "closed";
  if (superseded) return "superseded";
  return recovering ? "recovering" : "serving";
}

function describeLeadership(core: ConsensusCore, leadership: Leadership) {
  const { followers, replication, lease, transfer, commit } = leadership;
  const { configuration, nowMs } = core;
  const members = [...configuration.voters, ...configuration.outgoing, ...configuration.learners];
  const described = [...followers.entries()].map(([node, progress]) => {
    const { identity } = progress;
    const isKnown = identity === undefined || members.some((member) => isMember(member, identity));
    return {
      node,
      state: progress.state,
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      silentMs: Number.isFinite(progress.ackedSentAtMs)
        ? nowMs - progress.ackedSentAtMs
        : undefined,
      isLost: !isKnown,
      snapshotChunks: replication.describeSnapshot(node),
    };
  });
  return {
    followers: described,
    uncommittedBytes: commit.uncommittedBytes,
    lease: lease.holds(nowMs),
    transferringTo: transfer.target,
  };
}
