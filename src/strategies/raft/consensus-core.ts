import type { Sender } from "../../core/contracts/machine.ts";
import type { Lane } from "../../core/contracts/transport.ts";
import type { LogSequence, NodeId } from "../../core/model/ids.ts";
import { type Configuration, type Identity, isVoter, nodesOf } from "./configuration.ts";
import { ConfigurationHistory } from "./configuration-history.ts";
import type { ConsensusEffects, ConsensusOptions, Moment, Role } from "./consensus-types.ts";
import { groupOf } from "./group.ts";
import { encodeHardState, HARD_STATE, type HardState } from "./hard-state.ts";
import { violated } from "./invariant.ts";
import type { Dismissal, PeerMessage } from "./peer-messages.ts";
import { Place } from "./place.ts";
import type { PlantedConsensusBugs } from "./planted-bugs.ts";
import { RaftLog } from "./raft-log.ts";
import { ToldDismissal } from "./told-dismissal.ts";

/** Of reads from the log; 0 belongs to the state. */
export const MAX_TOKEN = 65_535;

/**
 * What all parts of a shard's consensus share: Figure 2's state, and the step that is running.
 *
 * Invariants:
 * - `term` and `commitIndex` never fall;
 * - `appliedIndex ≤ commitIndex ≤ log.lastIndex`;
 * - term and vote are kept in the step in which they change: words that wait for durability, and
 *   all that answer them, come after them.
 */
export class ConsensusCore {
  readonly options: ConsensusOptions;
  readonly planted: PlantedConsensusBugs;
  readonly log: RaftLog;
  readonly history = new ConfigurationHistory();
  role: Role = "follower";
  leader: NodeId | undefined;
  isOpen = false;
  /** Its node goes: what leadership it has, or is still given, it hands on. */
  isLeaving = false;
  /** When it last did so. */
  leftAtMs = Number.NEGATIVE_INFINITY;
  appliedIndex = 0;
  /** Of the newest entry that is applied. */
  appliedTerm = 0;
  /** From here on a follower of this leader's that is given a picture will want the log. */
  wantedFrom: number | undefined;
  /** How often the log has begun anew behind a state: what was read of it before says nothing. */
  restarts = 0;
  #isResting = false;
  #commitIndex = 0;
  #lastReadToken = 0;
  #hard: HardState = {
    ...{ term: 0, votedFor: undefined, original: false },
    ...{ recovering: false, superseded: false },
  };
  #identity: Identity;
  readonly #place = new Place();
  readonly #dismissal = new ToldDismissal();
  #effects: ConsensusEffects | undefined;
  #at: Moment = { nowMs: 0, wallMs: 0 };

  constructor(options: ConsensusOptions, planted: PlantedConsensusBugs) {
    this.options = options;
    this.planted = planted;
    this.log = new RaftLog(options.limits.retainedBytes);
    this.#identity = { ...options.self, original: false };
  }

  /** A step begins: until the next one, these are its time and its effects. */
  enter(at: Moment, effects: ConsensusEffects): void {
    this.#at = at;
    this.#effects = effects;
  }

  /**
   * Silent: the heartbeats between the nodes vouch for the shard, and nothing is to be done for it.
   * Of a leader, that it leads in silence; of a follower, that it believes so.
   */
  get isResting(): boolean {
    return this.#isResting;
  }

  leadAtRest(followers: readonly NodeId[]): void {
    const { pairs, shardIndex, self } = this.options;
    pairs?.lead({ shardIndex, term: this.term }, self, followers, this.nowMs);
    this.#isResting = true;
  }

  followAtRest(leader: Sender): void {
    const { pairs, shardIndex } = this.options;
    if (pairs === undefined) return;
    pairs.follow({ shardIndex, term: this.term }, leader, this.nowMs);
    this.#isResting = true;
  }

  /** When this resting follower's leader was last vouched for. */
  get vouchedAtMs(): number {
    const { pairs, shardIndex } = this.options;
    if (!this.#isResting || this.leader === undefined) return Number.NEGATIVE_INFINITY;
    return pairs?.vouchedAtMs(this.leader, shardIndex) ?? Number.NEGATIVE_INFINITY;
  }

  /** False if it did not rest. */
  stir(): boolean {
    if (!this.#isResting) return false;
    this.#isResting = false;
    this.options.pairs?.leave(this.options.shardIndex);
    return true;
  }

  get nowMs(): number {
    return this.#at.nowMs;
  }

  get wallMs(): number {
    return this.#at.wallMs;
  }

  get effects(): ConsensusEffects {
    return this.#effects as ConsensusEffects;
  }

  get self(): NodeId {
    return this.options.self.node;
  }

  /** As whom this replica votes and answers. */
  get identity(): Identity {
    return this.#identity;
  }

  /**
   * In force here. One that was told to be dismissed, and has nothing newer in its log, goes by what
   * it was told: its log may never come to it.
   */
  get configuration(): Configuration {
    const { index, configuration } = this.#dismissal;
    if (configuration !== undefined && index > this.history.index) return configuration;
    if (this.planted.configurationAtCommit !== true) return this.history.current;
    return this.history.at(this.#commitIndex).configuration;
  }

  get term(): number {
    return this.#hard.term;
  }

  get votedFor(): NodeId | undefined {
    return this.#hard.votedFor;
  }

  get original(): boolean {
    return this.#hard.original;
  }

  get recovering(): boolean {
    return this.#hard.recovering && this.planted.lostTailVotes !== true;
  }

  /** What is here is another group's: it counts for nothing, see `group.ts`. */
  get superseded(): boolean {
    return this.#hard.superseded;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  /** Whether this replica has all that it has ever vouched for. */
  get isWhole(): boolean {
    return this.isOpen && !this.recovering && !this.superseded;
  }

  /** Whether the configuration in force names this replica, under its store's name. */
  get isNamed(): boolean {
    return this.#place.isNamed(this.configuration, this.#identity);
  }

  /**
   * Whether this replica has a vote as long as the newest configurations are undecided (thesis
   * §4.2.2): it may be the only one that has the entry that removes it, and be needed to commit it.
   */
  get mayLead(): boolean {
    if (this.superseded || this.configurationIndex > this.history.index) return false;
    return this.history
      .since(this.#commitIndex)
      .some((configuration) => isVoter(configuration, this.#identity));
  }

  /** Where the configuration stands in the log of the shard. */
  get configurationIndex(): number {
    return Math.max(this.history.index, this.#dismissal.index);
  }

  /** What is here of a group that is over is no newer for hearing of a later one. */
  get configurationGroup(): number {
    return groupOf(this.superseded ? this.log.lastTerm : this.term);
  }

  /** Something of the shard was here once, and not only word of who holds it. */
  get hasCopy(): boolean {
    return this.history.current.voters.length > 0;
  }

  get isVoter(): boolean {
    return !this.superseded && this.#place.isVoter(this.configuration, this.#identity);
  }

  /** What is committed elsewhere does not name this node. */
  dismiss(dismissal: Dismissal): void {
    const { index } = dismissal;
    // One that lies in the log of this replica is news as well: that it is committed.
    if (index < this.history.index || index <= this.#dismissal.index) return;
    this.#dismissal.take(dismissal, this.effects);
  }

  /**
   * What to tell a node that no configuration names any more, be it committed or under way;
   * undefined if one does, or nothing is known.
   */
  dismissalOf(node: NodeId): Dismissal | undefined {
    // One that was dismissed itself has heard no more of the shard than that.
    if (this.#dismissal.index > 0 && this.#dismissal.index >= this.history.index) {
      return this.#dismissal.passOn(node, this.term);
    }
    const { index, configuration } = this.history.at(this.#commitIndex);
    if (index === 0 || configuration.voters.length === 0) return undefined;
    const isNamed = this.history
      .since(this.#commitIndex)
      .some((each) => nodesOf(each).includes(node));
    if (isNamed) return undefined;
    return { type: "dismissal", term: this.term, index, configuration };
  }

  /** Takes over what was kept, without keeping it again. */
  restore(hard: HardState): void {
    this.#dismissal.restore(this.effects);
    this.#takeOver(hard);
  }

  #takeOver(hard: HardState): void {
    this.#hard = hard;
    this.#identity = { ...this.#identity, original: hard.original };
  }

  keepStanding(original: boolean, recovering: boolean): void {
    this.#takeOver({ ...this.#hard, original, recovering });
    this.effects.keep(HARD_STATE, encodeHardState(this.#hard));
  }

  /**
   * Another group has taken the place of this replica's; `term` is one of that. True if there is
   * something here that counts no more.
   */
  keepSuperseded(term: number): boolean {
    // Who has nothing yet is nobody, in whatever group.
    const superseded =
      (this.log.lastIndex > 0 || this.configuration.voters.length > 0) &&
      this.planted.supersededCounts !== true;
    this.#hard = { ...this.#hard, superseded: superseded || this.superseded };
    this.keepVote(term, undefined);
    return this.superseded;
  }

  /** What is here is what its group has. */
  keepJoined(): void {
    this.#hard = { ...this.#hard, superseded: false, recovering: false };
    this.effects.keep(HARD_STATE, encodeHardState(this.#hard));
  }

  /** @param votedFor the candidate that has this replica's vote in `term`. */
  keepVote(term: number, votedFor: NodeId | undefined): void {
    if (term < this.term) violated("the term never falls", this.term, term);
    const { votedFor: before } = this.#hard;
    if (term === this.term && before !== undefined && before !== votedFor) {
      violated("at most one vote per term", term, before, votedFor ?? "nobody");
    }
    if (groupOf(term) !== groupOf(this.term)) this.#dismissal.forget(this.effects);
    this.#hard = { ...this.#hard, term, votedFor };
    if (this.planted.voteNotKept === true) return;
    this.effects.keep(HARD_STATE, encodeHardState(this.#hard));
  }

  /** True if it has risen. */
  commit(index: number): boolean {
    if (index <= this.#commitIndex) return false;
    if (index > this.log.lastIndex) violated("commit ≤ last", index, this.log.lastIndex);
    this.#commitIndex = index;
    return true;
  }

  /** The state and the log begin at this entry. */
  restart(index: number, term: number): void {
    this.log.reset(index, term);
    this.restarts++;
    this.#commitIndex = index;
    this.appliedIndex = index;
    this.appliedTerm = term;
  }

  /**
   * For a read from the log on behalf of a follower. No leadership takes another's: an answer to an
   * earlier one may have entries that were overwritten since.
   */
  nextReadToken(): number {
    this.#lastReadToken = (this.#lastReadToken % MAX_TOKEN) + 1;
    return this.#lastReadToken;
  }

  /** Drops the entries above `index`, which no majority has. */
  truncate(index: number): void {
    if (index < this.#commitIndex) violated("truncated ≥ commit", index, this.#commitIndex);
    if (this.role === "leader") violated("a leader never truncates (§5.3)", index, this.term);
    this.log.truncate(index);
    this.history.truncate(index);
    this.effects.truncateSuffix(index as LogSequence);
  }

  /** To the consensus of this shard there; leaves when all that this step and earlier ones keep is durable. */
  send(node: NodeId, message: PeerMessage, lane: Lane): void {
    this.effects.send(node, "replica", this.options.shardIndex, message, lane);
  }

  sendAtOnce(node: NodeId, message: PeerMessage, lane: Lane): void {
    this.effects.sendBeforeDurable(node, "replica", this.options.shardIndex, message, lane);
  }

  emit(type: string, fields: Readonly<Record<string, unknown>>): void {
    this.effects.emit({ type, shard: this.options.shardIndex, ...fields });
  }
}

/** As whom one has answered. */
export function identityOf(from: Sender, original: boolean): Identity {
  return { node: from.node, storeId: from.storeId, original };
}
