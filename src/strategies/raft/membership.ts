import type { NodeId } from "../../core/model/ids.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import type { CommitRule } from "./commit.ts";
import {
  type Configuration,
  encodeConfiguration,
  type Identity,
  isJoint,
  isMember,
  isSameMember,
  isSameSet,
  type Member,
  type MemberSet,
  ORIGINAL_STORE,
  sortMembers,
} from "./configuration.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { ConfigurationRefusal, MembershipGoal } from "./consensus-types.ts";
import { unsealedEntry } from "./entry.ts";
import type { Followers } from "./followers.ts";

/** A learner's race to the end of the log (thesis §4.2.1). */
interface CatchUp {
  targetIndex: number;
  startedAtMs: number;
  /** When a round ended that was short enough. */
  readyAtMs: number;
}

/** What a change asks of the leader. */
export interface MembershipOutcomes {
  appendConfiguration(record: Uint8Array): void;
  /** A node that is to join has to say who it is. */
  ask(node: NodeId): void;
}

/**
 * Changes of a shard's configuration at its leader: extended paper §6, thesis §4.
 *
 * One change at a time, each of them a goal that stands in the log, so that the next leader goes on
 * with it: learners join; when all that are to vote have what the others have, a joint
 * configuration; when that is committed, the new one alone.
 *
 * Invariants:
 * - a configuration is appended only if the one before it is committed, and an entry of the own
 *   term is: then any two that are in force at one time differ by one step, whose quorums meet;
 * - who begins to vote has what the log had two election timeouts ago, or more.
 */
export class Membership {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  readonly #commit: CommitRule;
  readonly #outcomes: MembershipOutcomes;
  readonly #catchUps = new Map<NodeId, CatchUp>();

  constructor(
    core: ConsensusCore,
    followers: Followers,
    commit: CommitRule,
    outcomes: MembershipOutcomes,
  ) {
    this.#core = core;
    this.#followers = followers;
    this.#commit = commit;
    this.#outcomes = outcomes;
  }

  /** @param known the stores that have answered for nodes outside the configuration. */
  propose(
    goal: MembershipGoal,
    known: ReadonlyMap<NodeId, Identity>,
  ): ConfigurationRefusal | undefined {
    const { configuration } = this.#core;
    if (goal.voters.length === 0) return "empty";
    if (!this.#commit.isOwnTermCommitted) return "unready";
    if (this.#isUndecided() || isJoint(configuration)) return "pending";
    const learners = goal.learners.filter((node) => !goal.voters.includes(node));
    const unmet = [...goal.voters, ...learners].filter(
      (node) => this.#memberOf(node, known) === undefined,
    );
    for (const node of unmet) this.#outcomes.ask(node);
    if (unmet.length > 0) return "unmet";
    const toMember = (node: NodeId): Member => this.#memberOf(node, known) as Member;
    const voters = goal.voters.map(toMember);
    const wanted = { voters, learners: learners.map(toMember) };
    const refused = this.#aim(wanted, goal.renews === true);
    // Of what is in force one can speak that leads still: a node that was held up for long may have
    // been deposed without knowing, and the shard be another's by now.
    const isHeard = this.#hasAnsweringMajority(configuration.voters);
    return refused === "unchanged" && !isHeard ? "unready" : refused;
  }

  /** Takes the next step of a change, if it is time for one. */
  advance(): void {
    const { configuration } = this.#core;
    if (!this.#commit.isOwnTermCommitted || this.#isUndecided()) return;
    const { goal } = configuration;
    if (isJoint(configuration)) {
      // Committed, whoever has appended it: the new voters decide alone from here on.
      const learners = goal?.learners ?? configuration.learners;
      this.#append({ voters: configuration.voters, outgoing: [], learners, goal: undefined });
    } else if (!this.#replaceLostStores(goal ?? configuration) && goal !== undefined) {
      // All of them are looked at each time: their races go on side by side.
      const late = goal.voters.filter((member) => !this.#isReady(member));
      if (late.length === 0 && this.#hasAnsweringMajority(goal.voters)) this.#enter(goal);
    }
  }

  /** The newest configuration is not committed yet. */
  #isUndecided(): boolean {
    return this.#core.history.index > this.#core.commitIndex;
  }

  #aim(goal: MemberSet, renews = false): ConfigurationRefusal | undefined {
    const { configuration, planted } = this.#core;
    const voters = sortMembers(goal.voters);
    const learners = sortMembers(goal.learners);
    const isVoting = isSameSet(voters, configuration.voters);
    // What another change is to come to has to go, also where nobody joins for it.
    const mustWrite = (configuration.goal !== undefined || renews) && !planted.goalLeftStanding;
    if (isVoting && isSameSet(learners, configuration.learners) && !mustWrite) return "unchanged";
    if (isVoting) {
      // Learners decide nothing: one step is enough.
      this.#append({ voters, outgoing: [], learners, goal: undefined });
      return undefined;
    }
    const joining = [...voters, ...learners].filter(
      (member) => !contains(configuration.voters, member),
    );
    this.#catchUps.clear();
    this.#append({
      voters: configuration.voters,
      outgoing: [],
      learners: sortMembers(joining),
      goal: { voters, learners },
    });
    return undefined;
  }

  /** The goal's voters have everything: both sets decide together. */
  #enter(goal: MemberSet): void {
    const { configuration, planted } = this.#core;
    const { voters, learners } = goal;
    if (planted.jointSkipped === true) {
      this.#append({ voters, outgoing: [], learners, goal: undefined });
      return;
    }
    this.#append({ voters, outgoing: configuration.voters, learners, goal });
  }

  /**
   * A member's node answers under another store: its own is lost, and the new one takes its place,
   * as a learner first, like all that join. True if there was one.
   *
   * The leader's own, too, while it votes: the store that was to take the place of its own is gone
   * where its own came back, and would be waited for by this leader for ever.
   */
  #replaceLostStores({ voters, learners }: MemberSet): boolean {
    const { isVoter, identity: own, planted } = this.#core;
    const looksAtOwn = isVoter && planted.ownStoreAwaited !== true;
    let isLost = false;
    const replaced = (member: Member): Member => {
      const isOwn = looksAtOwn && member.node === own.node;
      const identity = isOwn ? own : this.#followers.get(member.node)?.identity;
      if (identity === undefined || isMember(member, identity)) return member;
      isLost = true;
      return boundMember(identity);
    };
    const goal = { voters: voters.map(replaced), learners: learners.map(replaced) };
    return isLost && this.#aim(goal) === undefined;
  }

  /** Whether those who are to decide could: none of them may have been heard of for long. */
  #hasAnsweringMajority(voters: readonly Member[]): boolean {
    const { nowMs, options, identity } = this.#core;
    const answering = voters.filter((member) => {
      if (isMember(member, identity)) return true;
      const progress = this.#followers.get(member.node);
      if (progress?.isAnsweredBy(member) !== true) return false;
      return nowMs - progress.ackedSentAtMs < options.timing.electionTimeoutMs;
    });
    return answering.length >= majorityOf(voters.length);
  }

  #isReady(member: Member): boolean {
    const { configuration, planted } = this.#core;
    if (contains(configuration.voters, member) || planted.unreadyPromoted === true) return true;
    if (isMember(member, this.#core.identity)) return true;
    const progress = this.#followers.get(member.node);
    if (progress?.isAnsweredBy(member) !== true) return false;
    return this.#hasCaughtUp(member.node, progress.matchIndex);
  }

  /**
   * In rounds (thesis §4.2.1): each brings the learner to where the log ended when the round began;
   * a round that took no longer than an election timeout leaves so little that the next one will
   * not keep a majority waiting.
   */
  #hasCaughtUp(node: NodeId, matchIndex: number): boolean {
    const { nowMs, log, options } = this.#core;
    const { electionTimeoutMs } = options.timing;
    const catchUp = this.#catchUps.get(node);
    if (catchUp === undefined) {
      const readyAtMs = Number.NEGATIVE_INFINITY;
      this.#catchUps.set(node, { targetIndex: log.lastIndex, startedAtMs: nowMs, readyAtMs });
      return false;
    }
    if (matchIndex >= catchUp.targetIndex) {
      if (nowMs - catchUp.startedAtMs <= electionTimeoutMs) catchUp.readyAtMs = nowMs;
      catchUp.targetIndex = log.lastIndex;
      catchUp.startedAtMs = nowMs;
    }
    // The others may have taken longer: what was true long ago does not count.
    return nowMs - catchUp.readyAtMs <= electionTimeoutMs;
  }

  #memberOf(node: NodeId, known: ReadonlyMap<NodeId, Identity>): Member | undefined {
    const { configuration, identity } = this.#core;
    const answering =
      node === identity.node ? identity : (this.#followers.get(node)?.identity ?? known.get(node));
    const members = [...configuration.voters, ...configuration.learners];
    const held = members.filter((member) => member.node === node);
    if (answering === undefined) return held[0];
    return held.find((member) => isMember(member, answering)) ?? boundMember(answering);
  }

  #append(configuration: Configuration): void {
    this.#outcomes.appendConfiguration(unsealedEntry(encodeConfiguration(configuration)));
  }
}

function boundMember({ node, storeId, original }: Identity): Member {
  return { node, storeId: original ? ORIGINAL_STORE : storeId };
}

function contains(members: readonly Member[], member: Member): boolean {
  return members.some((other) => isSameMember(other, member));
}
