import type { Sender } from "../../core/contracts/machine.ts";
import type { LogRecord } from "../../core/contracts/storage.ts";
import type { LogSequence, NodeId } from "../../core/model/ids.ts";
import { Acceptance, noteConfiguration } from "./acceptance.ts";
import { Application } from "./application.ts";
import { type Configuration, describeConfiguration, nodesOf } from "./configuration.ts";
import { ConsensusCore, MAX_TOKEN } from "./consensus-core.ts";
import type {
  AppliedPoint,
  ApplyEntry,
  ConfigurationResult,
  ConsensusEffects,
  ConsensusOptions,
  MembershipGoal,
  Moment,
  Opening,
  ProposalResult,
  RecoveryRefusal,
  ShardConsensus,
  Standing,
} from "./consensus-types.ts";
import { describeConsensus } from "./describe-consensus.ts";
import { Election } from "./election.ts";
import { FollowerReads } from "./follower-reads.ts";
import { groupOf } from "./group.ts";
import { violated } from "./invariant.ts";
import { Leadership } from "./leadership.ts";
import { openConsensus } from "./open-consensus.ts";
import type {
  AppendRequest,
  Heartbeat,
  PeerMessage,
  Rest,
  SnapshotChunk,
} from "./peer-messages.ts";
import { NO_PLANTED_CONSENSUS_BUGS, type PlantedConsensusBugs } from "./planted-bugs.ts";
import { answerRead } from "./read-index.ts";
import { beginAnotherGroup } from "./recovery.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";

const TIMER = "raft-timer";

/**
 * Raft for one shard. Puts the parts together, each of which holds one concern, and gives every
 * event to those that it is about; what the protocol is stands with them.
 */
export class Consensus implements ShardConsensus {
  readonly #core: ConsensusCore;
  readonly #election: Election;
  readonly #acceptance: Acceptance;
  readonly #receiver: SnapshotReceiver;
  readonly #reads: FollowerReads;
  readonly #application: Application;
  #leadership: Leadership | undefined;
  #standing: Standing = { role: "follower", term: 0, leader: undefined };
  #armedForMs = Number.POSITIVE_INFINITY;
  /** The log that is still to be given back at opening ends here. */
  #replayTo = 0;

  constructor(
    options: ConsensusOptions,
    planted: PlantedConsensusBugs = NO_PLANTED_CONSENSUS_BUGS,
  ) {
    this.#core = new ConsensusCore(options, planted);
    this.#acceptance = new Acceptance(this.#core);
    this.#receiver = new SnapshotReceiver(this.#core, this.#acceptance);
    this.#reads = new FollowerReads(this.#core);
    this.#application = new Application(this.#core);
    this.#election = new Election(this.#core, {
      followed: (term, leader) => this.#follow(term, leader),
      won: () => this.#lead(),
      stood: () => this.#reads.fail("not-leader"),
    });
  }

  get standing(): Standing {
    return this.#standing;
  }

  get commitIndex(): number {
    return this.#core.commitIndex;
  }

  get appliedIndex(): number {
    return this.#core.appliedIndex;
  }

  get configuration(): Configuration {
    return this.#core.configuration;
  }

  get serving(): boolean {
    return this.#core.isWhole && this.#core.isNamed;
  }

  get isHandingOver(): boolean {
    return this.#leadership?.isHandingOver === true;
  }

  get isVoter(): boolean {
    return this.#core.isVoter;
  }

  get configurationIndex(): number {
    return this.#core.configurationIndex;
  }

  get configurationGroup(): number {
    return this.#core.configurationGroup;
  }

  get hasCopy(): boolean {
    return this.#core.hasCopy;
  }

  get lostVoters(): readonly NodeId[] | undefined {
    return this.#election.lostVoters;
  }

  open(opening: Opening, at: Moment, effects: ConsensusEffects): void {
    this.#core.enter(at, effects);
    const hasPast = openConsensus(this.#core, opening);
    this.#replayTo = opening.lastSequence;
    this.#core.isOpen = this.#core.log.lastIndex >= this.#replayTo;
    this.#election.start(hasPast);
    this.#settle();
  }

  replay(records: readonly LogRecord[], at: Moment, effects: ConsensusEffects): void {
    const core = this.#core;
    core.enter(at, effects);
    for (const { sequence, payload } of records) {
      if (core.isOpen) break;
      if (sequence !== core.log.lastIndex + 1) {
        this.#endReplay();
        break;
      }
      noteConfiguration(core, core.log.append(payload), payload);
    }
    core.log.evict(core.options.limits.memoryBytes);
    if (core.log.lastIndex >= this.#replayTo) core.isOpen = true;
    this.#settle();
  }

  message(from: Sender, message: PeerMessage, at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    if (!this.#core.isOpen) this.#endReplay();
    if (groupOf(message.term) !== groupOf(this.#core.term) && !this.#meetGroup(from, message)) {
      this.#settle();
      return;
    }
    switch (message.type) {
      case "vote":
        // Who asks has not heard that there is a leader.
        if (this.#isMember(from.node)) this.#leadership?.stir();
        this.#election.onRequest(from, message);
        break;
      case "vote-reply":
        this.#election.onReply(from, message);
        break;
      case "dismissal":
        this.#core.dismiss(message);
        if (this.#leadership === undefined && !this.#core.isNamed) {
          this.#follow(this.#core.term, undefined);
        }
        break;
      case "append":
      case "heartbeat":
      case "snapshot-chunk":
      case "rest":
        this.#fromLeader(from, message);
        break;
      case "stir":
        if (from.node === this.#core.self && message.term === this.#core.term) this.#stir();
        break;
      case "read-index":
        if (this.#leadership !== undefined) this.#leadership.onReadRequest(from, message);
        else answerRead(this.#core, from.node, message.token, 0, "not-leader");
        break;
      case "read-index-reply":
        if (message.term === this.#core.term) this.#acceptance.follow(message.index);
        this.#reads.onReply(message);
        break;
      case "take-over": {
        const isFromLeader = this.#core.leader === from.node && this.#core.role === "follower";
        if (!isFromLeader || message.term !== this.#core.term) break;
        this.#stir();
        this.#election.takeOver();
        break;
      }
      default:
        this.#toLeader(from, message);
    }
    this.#settle();
  }

  durable(sequence: LogSequence, at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    this.#leadership?.onDurable(sequence);
    this.#settle();
  }

  timer(timer: string, at: Moment, effects: ConsensusEffects): boolean {
    if (timer !== TIMER) return false;
    this.#enter(at, effects);
    this.#armedForMs = Number.POSITIVE_INFINITY;
    if (this.#core.isOpen) {
      if (this.#leadership === undefined) {
        this.#reads.tick();
        if (!this.#core.isResting) this.#election.maybeStand();
      } else if (at.nowMs >= this.#leadership.tickAtMs) this.#leadership.tick();
    } else this.#election.expect();
    this.flush(at, effects);
    return true;
  }

  reachability(peer: NodeId, reachable: boolean, at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    if (this.#isMember(peer)) this.#leadership?.stir();
    if (reachable) this.#leadership?.wake();
    else if (peer === this.#core.leader) this.#suspect();
    this.#settle();
  }

  identity(peer: Sender, at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    if (this.#isMember(peer.node)) this.#leadership?.stir();
    this.#leadership?.replication.restart(peer.node);
    this.#leadership?.wake();
    // It may not know that its group is no more.
    if (groupOf(this.#core.term) > 0) this.#leadership?.tell(peer.node);
    if (peer.node === this.#core.leader) this.#suspect(peer);
    this.#settle();
  }

  logRecords(
    token: number,
    records: readonly LogRecord[],
    at: Moment,
    effects: ConsensusEffects,
  ): boolean {
    if (token > MAX_TOKEN) return false;
    this.#enter(at, effects);
    if (this.#application.owns(token)) this.#application.onRecords(records);
    else this.#leadership?.replication.onRecords(token, records);
    this.#leadership?.wake();
    this.#settle();
    return true;
  }

  logUnreadable(token: number, at: Moment, effects: ConsensusEffects): boolean {
    if (token > MAX_TOKEN) return false;
    this.#enter(at, effects);
    if (this.#application.owns(token)) this.#application.onUnreadable();
    else this.#leadership?.replication.onUnreadable(token);
    this.#leadership?.wake();
    this.#settle();
    return true;
  }

  propose(record: Uint8Array, at: Moment, effects: ConsensusEffects): ProposalResult {
    this.#enter(at, effects);
    const result = this.#leadership?.propose(record) ?? "not-leader";
    if (typeof result === "number") return { index: result, term: this.#core.term };
    return { refused: result, leader: this.#core.leader };
  }

  proposeConfiguration(
    goal: MembershipGoal,
    at: Moment,
    effects: ConsensusEffects,
  ): ConfigurationResult {
    this.#enter(at, effects);
    const leadership = this.#leadership;
    const refused = leadership === undefined ? "not-leader" : leadership.proposeConfiguration(goal);
    if (refused !== undefined) return { refused, leader: this.#core.leader };
    return { index: this.#core.history.index, term: this.#core.term };
  }

  recover(at: Moment, effects: ConsensusEffects): RecoveryRefusal | undefined {
    this.#enter(at, effects);
    const core = this.#core;
    if (!core.isOpen || !core.hasCopy) return "not-open";
    if (this.#election.mayBeQuorate) return "quorum-present";
    beginAnotherGroup(core, (term) => this.#follow(term, undefined));
    this.#election.takeOver();
    this.#settle();
    return undefined;
  }

  transferLeadership(to: NodeId | undefined, at: Moment, effects: ConsensusEffects): boolean {
    this.#enter(at, effects);
    if (to === undefined) this.#core.isLeaving = true;
    return this.#leadership?.startTransfer(to) ?? false;
  }

  read(token: number, at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    if (this.#leadership !== undefined) this.#leadership.read(token);
    // An index of the later group, or of a leader that lacks what is here, says nothing of it.
    else if (this.#core.superseded || this.#acceptance.hasDiverged)
      this.#core.options.outputs.readFailed(token, "not-leader");
    else this.#reads.add(token);
  }

  holdersOf(index: number): readonly NodeId[] {
    return this.#leadership?.followers.holdersOf(index) ?? [];
  }

  leaseHolds(at: Moment): boolean {
    const leadership = this.#leadership;
    if (leadership === undefined) return false;
    const { appliedIndex, commitIndex, planted } = this.#core;
    if (appliedIndex < commitIndex) return false;
    // Only then is everything that an earlier leader committed below the commit index.
    if (!leadership.commit.isOwnTermCommitted && planted.readBeforeOwnCommit !== true) return false;
    leadership.lease.watchClocks(at.nowMs, at.wallMs);
    return leadership.leaseHolds(at.nowMs);
  }

  flush(at: Moment, effects: ConsensusEffects): void {
    this.#enter(at, effects);
    if (this.#leadership !== undefined) this.#leadership.flush();
    else this.#reads.flush();
    this.#settle();
  }

  takeCommitted(limitBytes: number, apply: ApplyEntry, effects: ConsensusEffects): boolean {
    return this.#application.take(limitBytes, apply, effects);
  }

  point(): AppliedPoint {
    return this.#application.point();
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      ...this.#standing,
      configuration: describeConfiguration(this.#core.configuration),
      ...describeConsensus(this.#core, this.#election, this.#leadership),
    };
  }

  /** What is missing of the log is lost, and with it what lies behind. */
  #endReplay(): void {
    this.#core.effects.resetLog((this.#core.log.lastIndex + 1) as LogSequence);
    this.#core.isOpen = true;
  }

  #enter(at: Moment, effects: ConsensusEffects): void {
    this.#core.enter(at, effects);
    this.#leadership?.lease.watchClocks(at.nowMs, at.wallMs);
  }

  /** False if the message is not to be looked at any further. */
  #meetGroup(from: Sender, { term, type }: PeerMessage): boolean {
    const core = this.#core;
    if (groupOf(term) > groupOf(core.term)) {
      this.#receiver.abort();
      if (core.keepSuperseded(term)) core.emit("raft-superseded", { by: from.node });
      this.#follow(term, undefined);
      return true;
    }
    const isQuestion = ["vote", "append", "heartbeat", "snapshot-chunk", "rest"].includes(type);
    if (isQuestion && from.node !== core.self) this.#answerStale(from);
    if (isQuestion) this.#leadership?.tell(from.node);
    return false;
  }

  #isMember(node: NodeId): boolean {
    return nodesOf(this.#core.configuration).includes(node);
  }

  #suspect(peer: Sender | undefined = undefined): void {
    this.#stir();
    this.#election.suspect(peer);
  }

  /** Nobody vouches for the shard any more: the leader speaks again, a follower waits for that. */
  #stir(): void {
    if (this.#leadership !== undefined) {
      this.#leadership.stir();
      return;
    }
    const { vouchedAtMs } = this.#core;
    if (this.#core.stir()) this.#election.expectSince(vouchedAtMs);
  }

  #fromLeader(from: Sender, message: AppendRequest | Heartbeat | SnapshotChunk | Rest): void {
    const core = this.#core;
    if (message.term < core.term) {
      this.#answerStale(from);
      return;
    }
    if (message.term > core.term || core.role !== "follower" || core.leader !== from.node) {
      this.#checkLeader(from.node, message.term);
      this.#follow(message.term, from.node);
    }
    this.#stir();
    this.#election.heard(from);
    if (message.type === "append") this.#acceptance.onAppend(from, message);
    else if (message.type === "heartbeat") this.#acceptance.onHeartbeat(from, message);
    else if (message.type === "rest") this.#rest(from, message);
    else this.#receiver.onChunk(from, message);
  }

  /** A follower that lacks anything of what it is told goes on waiting to hear more. */
  #rest(from: Sender, { commitIndex }: Rest): void {
    const core = this.#core;
    this.#acceptance.follow(commitIndex);
    const isEqual = core.commitIndex === commitIndex && core.log.lastIndex === commitIndex;
    if (isEqual && core.isWhole && core.isNamed && this.#reads.isIdle) core.followAtRest(from);
  }

  /** Election Safety (Figure 3): at most one leader in a term. */
  #checkLeader(node: NodeId, term: number): void {
    const core = this.#core;
    if (term !== core.term) return;
    const other = core.role === "leader" ? core.self : core.leader;
    if (other !== undefined && other !== node) {
      violated("at most one leader per term", term, other, node);
    }
  }

  /** The sender's term is over (§5.1): it learns that from the term of any answer. */
  #answerStale(from: Sender): void {
    const { term, original } = this.#core;
    this.#core.send(
      from.node,
      { type: "heartbeat-reply", term, round: 0, matchedIndex: 0, original },
      "control",
    );
  }

  #toLeader(
    from: Sender,
    message: Extract<PeerMessage, { type: "append-reply" | "heartbeat-reply" | "snapshot-reply" }>,
  ): void {
    if (message.term > this.#core.term) {
      this.#follow(message.term, undefined);
      return;
    }
    const leadership = this.#leadership;
    if (leadership === undefined || message.term < this.#core.term) return;
    if (message.type === "append-reply") leadership.onAppendReply(from, message);
    else if (message.type === "heartbeat-reply") leadership.onHeartbeatReply(from, message);
    else leadership.onSnapshotReply(from, message);
  }

  #follow(term: number, leader: NodeId | undefined): void {
    const core = this.#core;
    if (term > core.term) core.keepVote(term, undefined);
    core.stir();
    const leadership = this.#leadership;
    this.#leadership = undefined;
    core.role = "follower";
    core.leader = leader;
    leadership?.end();
    this.#reads.fail("not-leader");
    this.#election.followed();
  }

  #lead(): void {
    const core = this.#core;
    this.#receiver.abort();
    // Elected by all: there is nobody that it could learn more from.
    if (core.recovering) core.keepStanding(core.original, false);
    core.role = "leader";
    core.leader = core.self;
    this.#leadership = new Leadership(core, {
      resigned: () => this.#follow(core.term, undefined),
    });
    this.#leadership.begin();
  }

  /** At the end of every call: tells what changed, and sets the timer if it must be earlier. */
  #settle(): void {
    const { role, term, leader } = this.#core;
    const before = this.#standing;
    if (role !== before.role || term !== before.term || leader !== before.leader) {
      this.#standing = { role, term, leader };
      this.#receiver.abortOlder();
      this.#core.options.outputs.standingChanged(this.#standing);
      this.#core.emit("raft-standing", { role, term, leader });
    }
    this.#arm();
  }

  #arm(): void {
    const { nowMs, options, effects, term, configuration } = this.#core;
    const silentUntilMs = this.#core.isResting ? Number.POSITIVE_INFINITY : this.#election.dueAtMs;
    let atMs = this.#leadership?.tickAtMs ?? silentUntilMs;
    if (!this.#reads.isIdle) atMs = Math.min(atMs, nowMs + 2 * options.timing.heartbeatMs);
    if (atMs >= this.#armedForMs) return;
    // To whom nobody has spoken yet, and whom no configuration names, there is nothing to wait for.
    if (term === 0 && configuration.voters.length === 0) return;
    this.#armedForMs = atMs;
    effects.setTimer(TIMER, Math.max(0, atMs - nowMs));
  }
}
