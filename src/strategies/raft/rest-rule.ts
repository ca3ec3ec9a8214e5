import type { NodeId } from "../../core/model/ids.ts";
import type { CommitRule } from "./commit.ts";
import { isJoint, isMember, isQuorum, type Member } from "./configuration.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { Followers } from "./followers.ts";

/** Of silence, in heartbeats, with which a follower does not count as one that hears. */
const HEARD_BEATS = 4;

/**
 * When a leader may fall silent: thesis §6.2 sends heartbeats for every group, and a node has a
 * thousand. A shard rests when there is nothing that a word about it could bring about:
 *
 * - nothing was written, read or changed for a while, and all of the log is committed and applied;
 * - the configuration is settled, and every follower that can be reached has all of the log,
 *   durably, knows that, and has just answered: with the leader they are a quorum.
 *
 * Who cannot be reached is not vouched for to, and stirs the shard when it is back.
 */
export class RestRule {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  readonly #commit: CommitRule;
  #busyAtMs: number;

  constructor(core: ConsensusCore, followers: Followers, commit: CommitRule) {
    this.#core = core;
    this.#followers = followers;
    this.#commit = commit;
    this.#busyAtMs = core.nowMs;
  }

  /** Somebody wants something of this shard. */
  busy(nowMs: number): void {
    this.#busyAtMs = nowMs;
  }

  /** To whom this leader may fall silent; undefined: it must not rest. */
  followersAtRest(): readonly NodeId[] | undefined {
    const core = this.#core;
    const { nowMs, options, log, commitIndex, appliedIndex, configuration, history } = core;
    if (options.pairs === undefined || nowMs - this.#busyAtMs < options.timing.restAfterMs) {
      return undefined;
    }
    const { lastIndex } = log;
    if (appliedIndex < lastIndex || this.#followers.durableIndex < lastIndex) return undefined;
    if (!this.#commit.isOwnTermCommitted || history.index > commitIndex) return undefined;
    if (isJoint(configuration) || configuration.goal !== undefined) return undefined;
    if (!core.isVoter || options.health.isDiskSick()) return undefined;
    return this.#equal();
  }

  #equal(): readonly NodeId[] | undefined {
    const { configuration, options, identity } = this.#core;
    const { voters, learners } = configuration;
    const equal: NodeId[] = [];
    for (const [node] of this.#followers.entries()) {
      const member = [...voters, ...learners].find((other) => other.node === node);
      if (member !== undefined && this.#isEqual(member)) equal.push(node);
      else if (options.isReachable(node)) return undefined;
    }
    const isHeard = (member: Member): boolean =>
      isMember(member, identity) || equal.includes(member.node);
    return isQuorum(configuration, isHeard) ? equal : undefined;
  }

  #isEqual(member: Member): boolean {
    const { nowMs, options, log } = this.#core;
    const progress = this.#followers.get(member.node);
    if (progress?.isAnsweredBy(member) !== true) return false;
    const silentMs = nowMs - progress.ackedSentAtMs;
    if (silentMs > HEARD_BEATS * options.timing.heartbeatMs) return false;
    const { lastIndex } = log;
    if (progress.state !== "replicate" || progress.matchOf(member) !== lastIndex) return false;
    if (progress.heldIndex === lastIndex) return true;
    // It was started again, and does not know that what it has is the leader's: it is told.
    progress.probe(lastIndex + 1);
    return false;
  }
}
