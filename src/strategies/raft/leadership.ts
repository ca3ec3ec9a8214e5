import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { appendEntry } from "./acceptance.ts";
import { CommitRule } from "./commit.ts";
import { type Identity, isJoint } from "./configuration.ts";
import { type ConsensusCore, identityOf } from "./consensus-core.ts";
import type {
  ConfigurationRefusal,
  EntryKind,
  MembershipGoal,
  ProposalRefusal,
} from "./consensus-types.ts";
import { EarlyParts } from "./early-parts.ts";
import { sealEntry, unsealedEntry } from "./entry.ts";
import { Followers } from "./followers.ts";
import { Lease } from "./lease.ts";
import { Membership } from "./membership.ts";
import type {
  AppendReply,
  Heartbeat,
  HeartbeatReply,
  ReadIndexRequest,
  SnapshotReply,
} from "./peer-messages.ts";
import { answerRead, ReadIndex } from "./read-index.ts";
import { Replication } from "./replication.ts";
import { RestRule } from "./rest-rule.ts";
import { Transfer } from "./transfer.ts";

const NO_PAYLOAD = new Uint8Array(0);
/** Election timeouts between two attempts to hand over to whom it rather belongs. */
const TRANSFER_PAUSE = 10;

/** What a leadership asks of the whole. */
export interface LeadershipOutcomes {
  /** It ends; the term goes on without a leader that this node knows. */
  resigned(): void;
}

/** One node's leadership in one term: what it knows ends with it. */
export class Leadership {
  readonly replication: Replication;
  readonly followers: Followers;
  readonly lease: Lease;
  readonly transfer: Transfer;
  readonly commit: CommitRule;
  readonly #core: ConsensusCore;
  readonly #outcomes: LeadershipOutcomes;
  readonly #reads: ReadIndex;
  readonly #membership: Membership;
  readonly #rest: RestRule;
  readonly #early: EarlyParts;
  readonly #startedAtMs: number;
  /** From when on CheckQuorum counts silence: from the start, or since this leader has stirred. */
  #countsFromMs: number;
  /** Stores that have answered for nodes outside the configuration. */
  readonly #known = new Map<NodeId, Identity>();
  #triedTransferAtMs = Number.NEGATIVE_INFINITY;
  #tickAtMs: number;
  /** The followers were at rest: they are to hear from this leader. */
  #owesHeartbeat = false;
  /** Something may have to be sent. */
  #isDirty = true;
  /** The newest configuration that is known to be committed. */
  #settledIndex: number;

  constructor(core: ConsensusCore, outcomes: LeadershipOutcomes) {
    this.#core = core;
    this.#outcomes = outcomes;
    this.#startedAtMs = core.nowMs;
    this.#countsFromMs = core.nowMs;
    this.#tickAtMs = core.nowMs + core.options.timing.heartbeatMs;
    this.#settledIndex = core.history.index <= core.commitIndex ? core.history.index : -1;
    this.#early = new EarlyParts(core.options.limits.earlyBytes);
    this.followers = new Followers(core);
    this.commit = new CommitRule(core, this.followers);
    this.replication = new Replication(core, this.followers);
    this.lease = new Lease(core, this.followers);
    this.transfer = new Transfer(core, this.followers);
    this.#reads = new ReadIndex(core, this.followers, this.commit);
    this.#rest = new RestRule(core, this.followers, this.commit);
    this.#membership = new Membership(core, this.followers, this.commit, {
      appendConfiguration: (record) => this.#appendConfiguration(record),
      ask: (node) => this.tell(node),
    });
  }

  get tickAtMs(): number {
    return this.#core.isResting ? Number.POSITIVE_INFINITY : this.#tickAtMs;
  }

  /** §5.4.2 and thesis §6.4: with an entry of its own term a leader learns what is committed. */
  begin(): void {
    this.#append(unsealedEntry(NO_PAYLOAD), "no-op");
    this.#sendHeartbeats(this.followers.rounds.begin(this.#core.nowMs));
    this.flush();
  }

  /** That this node leads. */
  tell(node: NodeId): void {
    this.#core.sendAtOnce(node, this.#heartbeat(this.followers.rounds.current), "control");
  }

  /** Somebody may want something of this shard: it does not rest. */
  stir(): void {
    const { nowMs, options } = this.#core;
    this.#rest.busy(nowMs);
    if (!this.#core.stir()) return;
    this.#countsFromMs = nowMs;
    this.#tickAtMs = nowMs + options.timing.heartbeatMs;
    this.#owesHeartbeat = true;
    this.#isDirty = true;
    this.transfer.stirred();
  }

  /** A lease was asked for: while it holds nothing else shows that the shard is in use. */
  leaseHolds(nowMs: number): boolean {
    this.#rest.busy(nowMs);
    return this.lease.holds(nowMs);
  }

  propose(record: Uint8Array): number | ProposalRefusal {
    this.stir();
    if (this.transfer.isUnderWay) return "transferring";
    if (!this.commit.hasRoom(record.length)) return "backlog";
    const index = this.#append(record, "command");
    if (this.#early.add(record.length)) this.#sendEntries();
    return index;
  }

  proposeConfiguration(goal: MembershipGoal): ConfigurationRefusal | undefined {
    this.stir();
    if (this.transfer.isUnderWay) return "transferring";
    return this.#membership.propose(goal, this.#known);
  }

  startTransfer(to: NodeId | undefined): boolean {
    this.stir();
    if (!this.transfer.start(to)) return false;
    this.#triedTransferAtMs = this.#core.nowMs;
    if (this.#core.isLeaving) this.#core.leftAtMs = this.#core.nowMs;
    // Before the target can hear of it (thesis §6.4.1).
    this.lease.end();
    this.transfer.maybeTell();
    return true;
  }

  /** It is, or will: one that was given leadership while it goes knows of nobody at first. */
  get isHandingOver(): boolean {
    if (this.transfer.isUnderWay) return true;
    return this.#core.isLeaving && (!this.commit.isOwnTermCommitted || this.transfer.isPossible);
  }

  /**
   * Whoever can is to lead in place of this node, if it goes: one after another. Where all go they
   * must not hand leadership round and do nothing else: what they wait for is still to be written.
   */
  #maybeLeave(): void {
    const { isLeaving, leftAtMs, nowMs, options } = this.#core;
    if (!isLeaving || this.transfer.isUnderWay || !this.commit.isOwnTermCommitted) return;
    if (nowMs - leftAtMs >= options.timing.electionTimeoutMs) this.startTransfer(undefined);
  }

  read(token: number): void {
    this.stir();
    this.#reads.add(token, undefined);
    this.#isDirty = true;
  }

  onReadRequest(from: Sender, request: ReadIndexRequest): void {
    if (request.term > this.#core.term) {
      answerRead(this.#core, from.node, request.token, 0, "not-leader");
      return;
    }
    this.stir();
    this.#reads.add(request.token, from.node);
    this.#isDirty = true;
  }

  onAppendReply(from: Sender, reply: AppendReply): void {
    this.replication.onReply(from, reply);
    this.#answered();
  }

  onHeartbeatReply(from: Sender, reply: HeartbeatReply): void {
    const progress = this.followers.answered(from, reply.original, reply.round);
    if (progress === undefined) this.#known.set(from.node, identityOf(from, reply.original));
    else this.replication.onHeld(progress, reply.matchedIndex);
    this.#answered();
  }

  onSnapshotReply(from: Sender, reply: SnapshotReply): void {
    this.replication.onSnapshotReply(from, reply);
    this.#answered();
  }

  /** The leader's own copy is durable up to here. */
  onDurable(index: number): void {
    if (index > this.followers.durableIndex) this.followers.durableIndex = index;
    this.#maybeCommit();
  }

  wake(): void {
    this.#isDirty = true;
  }

  tick(): void {
    const { nowMs, options, planted } = this.#core;
    const { timing, health } = options;
    const latenessMs = nowMs - this.#tickAtMs;
    this.#tickAtMs = nowMs + timing.heartbeatMs;
    if (latenessMs > timing.leaseMs / 2) this.lease.void();
    const heardAtMs = Math.max(this.#countsFromMs, this.followers.quorumSentAtMs());
    // CheckQuorum (thesis §6.2): who cannot reach a majority steps down, for the sake of those who
    // still hear it and of clients that would wait for it.
    if (nowMs - heardAtMs > timing.electionTimeoutMs && planted.quorumUnchecked !== true) {
      this.#outcomes.resigned();
      return;
    }
    this.lease.renewed();
    this.transfer.tick();
    this.#maybeLeave();
    this.replication.tick();
    this.#membership.advance();
    if (health.isDiskSick()) this.#maybeHandOver(undefined, 1);
    else this.#maybePrefer();
    if (this.#maybeRest()) return;
    this.#sendHeartbeats(this.followers.rounds.begin(nowMs));
    this.#isDirty = true;
  }

  /** All that is left of this turn leaves: one message with entries and one without per peer. */
  flush(): void {
    this.#early.endTurn();
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const round = this.followers.rounds.begin(this.#core.nowMs);
    const asks = this.#reads.wantsRound;
    if (asks || this.#owesHeartbeat) this.#sendHeartbeats(round);
    if (asks) this.#reads.begin(round);
    this.replication.flush(round);
  }

  end(): void {
    this.replication.close();
    this.#reads.fail();
  }

  /** A round of its own, so that a rejection is one of what was sent now. */
  #sendEntries(): void {
    this.replication.flush(this.followers.rounds.begin(this.#core.nowMs));
  }

  #answered(): void {
    this.lease.renewed();
    this.#maybeCommit();
    this.#reads.maybeConfirm();
    this.#maybeLeave();
    this.transfer.maybeTell();
    this.#isDirty = true;
  }

  #maybeCommit(): void {
    if (!this.commit.maybeCommit()) return;
    this.#isDirty = true;
    const { history, commitIndex } = this.#core;
    if (history.index > commitIndex) return;
    if (history.index !== this.#settledIndex) this.#settle();
    this.#membership.advance();
  }

  /** A configuration is committed. Who is no longer in it hears that, and is forgotten. */
  #settle(): void {
    const { history, configuration } = this.#core;
    this.#settledIndex = history.index;
    this.#sendHeartbeats(this.followers.rounds.begin(this.#core.nowMs));
    this.followers.renew();
    this.#core.emit("raft-configuration", { configuration, index: history.index });
    if (this.#core.isVoter || isJoint(configuration)) return;
    // Thesis §4.2.2: a leader that has committed its own removal is one no more.
    if (this.transfer.start(undefined)) this.transfer.maybeTell();
    this.#outcomes.resigned();
  }

  #append(record: Uint8Array, kind: EntryKind): number {
    sealEntry(record, kind, this.#core.term);
    this.#rest.busy(this.#core.nowMs);
    const index = appendEntry(this.#core, record);
    this.commit.appended(record.length);
    this.#isDirty = true;
    return index;
  }

  #appendConfiguration(record: Uint8Array): void {
    this.#append(record, "configuration");
    this.followers.renew();
    this.lease.void();
  }

  #sendHeartbeats(round: number): void {
    this.#owesHeartbeat = false;
    const heartbeat = this.#heartbeat(round);
    // The leader's term is durable: it was elected by answers to a request that had waited for it.
    for (const [node] of this.followers.entries()) {
      this.#core.sendAtOnce(node, heartbeat, "control");
    }
  }

  #heartbeat(round: number): Heartbeat {
    const { term, commitIndex, log } = this.#core;
    return { type: "heartbeat", term, round, commitIndex, lastIndex: log.lastIndex };
  }

  /** Tells its followers a last time that it leads, and leaves it to their nodes' heartbeats. */
  #maybeRest(): boolean {
    if (this.transfer.isUnderWay || !this.#reads.isIdle) return false;
    const followers = this.#rest.followersAtRest();
    if (followers === undefined || this.#mayPrefer(followers)) return false;
    const { term, commitIndex } = this.#core;
    for (const node of followers) {
      this.#core.sendAtOnce(node, { type: "rest", term, commitIndex }, "control");
    }
    this.#core.leadAtRest(followers);
    return true;
  }

  /** Whether it is still to hand over to one of them: that was not tried yet. */
  #mayPrefer(nodes: readonly NodeId[]): boolean {
    if (this.#triedTransferAtMs !== Number.NEGATIVE_INFINITY) return false;
    const { options, self, configuration } = this.#core;
    const own = options.priorityOf(self);
    return configuration.voters.some(
      ({ node }) => nodes.includes(node) && options.priorityOf(node) > own,
    );
  }

  /** To whom leads rather than this node, once that one is as far. */
  #maybePrefer(): void {
    const { configuration, options, self, commitIndex } = this.#core;
    const own = options.priorityOf(self);
    let best: NodeId | undefined;
    for (const { node } of configuration.voters) {
      const progress = this.followers.get(node);
      if (progress === undefined || progress.matchIndex < commitIndex) continue;
      if (options.priorityOf(node) <= (best === undefined ? own : options.priorityOf(best)))
        continue;
      best = node;
    }
    if (best !== undefined) this.#maybeHandOver(best, TRANSFER_PAUSE);
  }

  #maybeHandOver(to: NodeId | undefined, pause: number): void {
    const { nowMs, options } = this.#core;
    const pauseMs = pause * options.timing.electionTimeoutMs;
    const since = Math.max(this.#triedTransferAtMs, this.#startedAtMs);
    if (this.transfer.isUnderWay || nowMs - since < pauseMs) return;
    if (this.commit.isOwnTermCommitted) this.startTransfer(to);
  }
}
