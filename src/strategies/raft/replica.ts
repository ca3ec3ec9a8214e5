import type {
  Effects,
  MachineEvent,
  OpenedState,
  ReplicaContext,
  ReplicaMachine,
  Sender,
} from "../../core/contracts/machine.ts";
import type { ChangesReached } from "../../core/contracts/machine-change.ts";
import type { LogSequence, NodeId } from "../../core/model/ids.ts";
import type { LogEnd } from "../../core/model/shard-lack.ts";
import { AnswerFirst } from "./answer-first.ts";
import { ConfigurationRow, readPoint } from "./applied-point.ts";
import { ShardMachine } from "./apply.ts";
import { ChangeTeller } from "./change-teller.ts";
import {
  type ConfigurationPoint,
  isForCoordinator,
  type MembersMessage,
  type RaftMessage,
  type RecoverMessage,
} from "./client-messages.ts";
import { CommandHead } from "./command-head.ts";
import { nodesOf, votingNodes } from "./configuration.ts";
import { consensusOptions } from "./consensus-options.ts";
import type {
  AppliedPoint,
  ConsensusOptions,
  ConsensusOutputs,
  EntryKind,
  Moment,
  ShardConsensus,
  Standing,
} from "./consensus-types.ts";
import { LogClock } from "./log-clock.ts";
import { verdictOn } from "./member-changes.ts";
import { Pairs } from "./pairs.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { ProposalDesk, type ProposalPorts } from "./proposal-desk.ts";
import { ReadDesk } from "./read-desk.ts";
import { Replies } from "./replies.ts";
import type { RaftSettings } from "./settings.ts";
import { SnapshotInstaller } from "./snapshot-installer.ts";
import { Upkeep } from "./upkeep.ts";

const APPLY_TIMER = "apply";
/** Of entries that one step applies. */
const APPLY_BYTES = 1024 * 1024;

type Fx = Effects<RaftMessage>;
type Event = MachineEvent<RaftMessage>;

export type MakeConsensus = (options: ConsensusOptions) => ShardConsensus;

/**
 * One replica of a raft shard: the consensus, the state that its committed entries make, and the
 * answers to coordinators (`Replies`).
 */
export class RaftReplica implements ReplicaMachine<RaftMessage> {
  readonly wantsDurable = true;
  readonly appliesLater = true;
  readonly countsStores = true;
  readonly catchesUp = true;
  readonly #context: ReplicaContext;
  readonly #consensus: ShardConsensus;
  readonly #machine: ShardMachine;
  readonly #changes: ChangeTeller;
  readonly #proposals: ProposalDesk;
  readonly #replies: Replies;
  readonly #desk: ReadDesk;
  readonly #upkeep: Upkeep;
  readonly #installer: SnapshotInstaller;
  readonly #answerFirst = new AnswerFirst();
  readonly #pairs: Pairs | undefined;
  readonly #clock = new LogClock();
  readonly #head: CommandHead;
  readonly #configurationRow = new ConfigurationRow();
  #effects: Fx | undefined;
  #isOpen = false;
  #standing: Standing = { role: "follower", term: 0, leader: undefined };
  #hasLostLead = false;

  constructor(
    context: ReplicaContext,
    makeConsensus: MakeConsensus,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#context = context;
    const { sessionLifetimeMs } = context.settings as unknown as RaftSettings;
    this.#pairs = context.shared instanceof Pairs ? context.shared : undefined;
    // One that was here before this one, and threw, has nothing to say any more.
    this.#pairs?.leave(context.shardIndex);
    this.#head = new CommandHead(this.#clock, context.randomUint32() || 1, sessionLifetimeMs);
    this.#machine = new ShardMachine(
      context.shardIndex,
      (change) => this.#changes.add(change),
      planted,
    );
    this.#changes = new ChangeTeller(context.keyspaceHash, this.#machine, () => this.#fx);
    this.#installer = new SnapshotInstaller(() => this.#fx);
    this.#replies = new Replies({
      shardIndex: context.shardIndex,
      machine: this.#machine,
      configuration: () => this.#consensus,
      leader: () => this.#standing.leader,
    });
    this.#proposals = new ProposalDesk(this.#proposalPorts());
    const firstToken = (context.randomUint32() % 0xffff_0000) + 1;
    this.#desk = new ReadDesk(this.#deskPorts(), firstToken, planted);
    this.#upkeep = new Upkeep({
      machine: this.#machine,
      clock: this.#clock,
      sessionLifetimeMs,
      serving: () => this.serving,
      propose: (body, at, effects) => {
        const record = this.#head.recordOf(body, at);
        return this.#consensus.propose(record, at, effects).refused === undefined;
      },
    });
    const outputs = this.#outputsOfConsensus();
    this.#consensus = makeConsensus(
      consensusOptions(context, this.#pairs, outputs, this.#installer, firstToken),
    );
  }

  get serving(): boolean {
    const { serving, isVoter } = this.#consensus;
    return this.#isOpen && !this.#installer.hasSwitched && serving && isVoter;
  }

  get standing(): Standing {
    return this.#standing;
  }

  get machine(): Pick<ShardMachine, "books" | "lifeMark"> {
    return this.#machine;
  }

  get voters(): number {
    return this.#consensus.configuration.voters.length;
  }

  /** Who votes, as far as is known here: others than this node, once it is dismissed. */
  get holders(): readonly NodeId[] {
    return votingNodes(this.#consensus.configuration);
  }

  /** Since when they do. */
  get heldSince(): ConfigurationPoint {
    const { configurationGroup: group, configurationIndex: index } = this.#consensus;
    return { group, index };
  }

  get isHandingOver(): boolean {
    return this.#consensus.isHandingOver;
  }

  /** Whether the shard can be recovered from what is here. */
  get hasCopy(): boolean {
    return this.#consensus.hasCopy;
  }

  /** For those who compare what is left of a shard: seldom, and as they read it everywhere. */
  get logEnd(): LogEnd {
    const { lastTerm, lastIndex } = this.#consensus.describe();
    return { term: Number(lastTerm), index: Number(lastIndex) };
  }

  /** See `Consensus.lostVoters`. */
  get lostVoters(): readonly NodeId[] | undefined {
    return this.#consensus.lostVoters;
  }

  /** Whether it has a vote, as far as it knows. */
  get isVoter(): boolean {
    return this.#consensus.isVoter;
  }

  /** Whether it has come to know that the shard is others'. */
  get isDismissed(): boolean {
    const { configuration } = this.#consensus;
    return (
      configuration.voters.length > 0 && !nodesOf(configuration).includes(this.#context.self.node)
    );
  }

  /** Whether the state here, as it is now, is the newest there is: see `Consensus.leaseHolds`. */
  leaseHolds(at: Moment): boolean {
    return this.#isOpen && !this.#installer.hasSwitched && this.#consensus.leaseHolds(at);
  }

  get changesReached(): ChangesReached | undefined {
    return this.#changes.reached;
  }

  step(event: Event, effects: Fx): void {
    this.#effects = effects;
    if (this.#installer.takeSwitched()) this.#takeUp(effects);
    this.#handle(event, effects);
    const { appliedIndex, commitIndex } = this.#consensus;
    const isBehind = appliedIndex < commitIndex && this.#standing.role !== "leader";
    if (!this.#answerFirst.holds(event.type, isBehind, effects)) this.#settle(event, effects);
    if (this.#pairs?.wantsKeeper === true) {
      effects.sendBeforeDurable(this.#context.self.node, "coordinator", 0, { type: "pairs-begin" });
    }
    this.#clock.note(this.#machine.books.clockMs, event);
    this.#installer.endStep();
    this.#effects = undefined;
  }

  describe(): Readonly<Record<string, unknown>> {
    const { appliedIndex, clockMs, chain, expiringRows, rememberedRows } = this.#machine.books;
    return {
      ...this.#consensus.describe(),
      serving: this.serving,
      commit: this.#consensus.commitIndex,
      applied: appliedIndex,
      proposals: this.#proposals.size,
      reads: this.#desk.size,
      clockMs,
      chain,
      expiringRows,
      rememberedRows,
    };
  }

  get #fx(): Fx {
    if (this.#effects === undefined) throw new Error("a replica acts outside a step");
    return this.#effects;
  }

  #handle(event: Event, effects: Fx): void {
    const consensus = this.#consensus;
    switch (event.type) {
      case "opened":
        this.#open(event.state, event, effects);
        return;
      case "replay":
        consensus.replay(event.records, event, effects);
        return;
      case "timer":
        this.#onTimer(event.timer, event, effects);
        return;
      case "turn-end":
        this.#flush(event, effects);
        return;
      case "message":
        this.#onMessage(event.from, event.message, event, effects);
        break;
      case "durable":
        consensus.durable(event.sequence, event, effects);
        break;
      case "log-records":
        consensus.logRecords(event.token, event.records, event, effects);
        break;
      case "log-unreadable":
        consensus.logUnreadable(event.token, event, effects);
        break;
      case "reachability":
        consensus.reachability(event.peer, event.reachable, event, effects);
        break;
      case "identity":
        consensus.identity(event.peer, event, effects);
        break;
      case "catch-up":
        if (!this.serving || this.lostVoters !== undefined) effects.caughtUp(event.token, false);
        else this.#desk.takeWatch(event.token, event, effects);
        break;
      case "draining":
        consensus.transferLeadership(undefined, event, effects);
        break;
      default:
        return;
    }
    // What a turn brings about leaves as one message to each peer.
    effects.atTurnEnd();
  }

  #open(state: OpenedState, at: Moment, effects: Fx): void {
    const applied = this.#takeUp(effects);
    this.#isOpen = true;
    this.#consensus.open({ ...state, applied }, at, effects);
  }

  /** What the state says of itself. */
  #takeUp(effects: Fx): AppliedPoint | undefined {
    this.#machine.open(effects);
    const applied = readPoint(effects);
    this.#configurationRow.takeUp(applied);
    this.#changes.gap();
    return applied;
  }

  #onMessage(from: Sender, message: RaftMessage, at: Moment, effects: Fx): void {
    switch (message.type) {
      case "propose":
      case "propose-again":
        this.#proposals.take(from, message, at, effects);
        return;
      case "is-proposed":
        this.#proposals.answer(from, message, effects);
        return;
      case "read":
      case "range":
        if (!this.serving)
          this.#replies.refuse(from.node, message.requestId, "not-serving", effects);
        else if (message.way !== "local" && this.lostVoters !== undefined) {
          this.#replies.refuse(from.node, message.requestId, "quorum-lost", effects);
        } else this.#desk.take(from.node, message, at, effects);
        return;
      case "members":
        this.#answerMembers(from.node, message, at, effects);
        return;
      case "recover":
        // Whoever operates this node decides that, and nobody else.
        if (from.node !== this.#context.self.node) return;
        this.#answerMembers(from.node, message, at, effects);
        return;
      default:
        if (this.#isOpen && !isForCoordinator(message))
          this.#consensus.message(from, message, at, effects);
    }
  }

  #onTimer(timer: string, at: Moment, effects: Fx): void {
    switch (timer) {
      case Upkeep.TIMER:
        this.#upkeep.onTimer(at, effects);
        return;
      case ReadDesk.TIMER:
        this.#desk.onTimer(at, effects);
        return;
      case APPLY_TIMER:
        return;
      default:
        this.#consensus.timer(timer, at, effects);
    }
  }

  #answerMembers(
    node: NodeId,
    message: MembersMessage | RecoverMessage,
    at: Moment,
    effects: Fx,
  ): void {
    const { requestId } = message;
    const verdict = verdictOn(this.#consensus, message, this.serving, at, effects);
    effects.atTurnEnd();
    if (verdict === "done") {
      const { configuration } = this.#consensus;
      this.#replies.say(node, { type: "members-reply", requestId, configuration }, effects);
    } else {
      this.#replies.refuse(node, requestId, verdict, effects);
    }
  }

  #flush(at: Moment, effects: Fx): void {
    if (!this.#isOpen) return;
    const token = this.#desk.ask();
    if (token !== undefined) this.#consensus.read(token, at, effects);
    this.#consensus.flush(at, effects);
  }

  /** After every event: what was committed is applied, and what waited for that is answered. */
  #settle(at: Moment, effects: Fx): void {
    if (!this.#isOpen) return;
    if (this.#hasLostLead) {
      this.#hasLostLead = false;
      this.#proposals.drop(effects);
    }
    if (this.#installer.hasSwitched) return;
    this.#upkeep.look(at, effects);
    this.#desk.answerReady(false, effects);
    const hasWritten = this.#apply(effects);
    if (!hasWritten) return;
    this.#desk.answerReady(true, effects);
    this.#upkeep.onApplied(at, effects);
  }

  /** True if the state has changed. */
  #apply(effects: Fx): boolean {
    const before = this.#machine.books.appliedIndex;
    const hasMore = this.#consensus.takeCommitted(APPLY_BYTES, this.#applyEntry, effects);
    if (hasMore) effects.setTimer(APPLY_TIMER, 0);
    if (!this.#machine.isDirty) return false;
    const point = this.#consensus.point();
    if (!this.#machine.finish(effects, point)) return false;
    this.#configurationRow.maybeWrite(point, effects);
    effects.applied(point.index as LogSequence);
    if (this.#standing.role === "leader") this.#recordBatch(before, effects);
    return true;
  }

  /** Where the entries behind `before` are by now, for people: a quorum of the voters at least. */
  #recordBatch(before: number, effects: Fx): void {
    const { appliedIndex } = this.#machine.books;
    effects.recordFact({
      type: "replication",
      shardIndex: this.#context.shardIndex,
      writes: appliedIndex - before,
      sequences: [before + 1, appliedIndex],
      replicatedTo: this.#consensus.holdersOf(appliedIndex),
    });
  }

  readonly #applyEntry = (
    index: number,
    term: number,
    kind: EntryKind,
    record: Uint8Array,
  ): void => {
    const effects = this.#fx;
    const isCommand = kind === "command";
    const hadLife = this.#machine.books.salt !== 0;
    const applied = isCommand ? this.#machine.apply(index, term, record, effects) : undefined;
    this.#changes.endEntry();
    if (!isCommand) this.#machine.skip(index, term);
    else if (!hadLife) this.#changes.gap();
    this.#proposals.settled(index, term, applied, effects);
  };

  #deskPorts() {
    return {
      machine: this.#machine,
      isLeader: () => this.#standing.role === "leader",
      leaseHolds: (at: Moment) => this.leaseHolds(at),
      replies: this.#replies,
    };
  }

  #proposalPorts(): ProposalPorts {
    return {
      replies: this.#replies,
      maxRecordBytes: () => this.#context.maxRecordBytes,
      serving: () => this.serving,
      standing: () => this.#standing,
      isQuorumLost: () => this.lostVoters !== undefined,
      propose: (record, at, effects) => {
        this.#head.write(record, at);
        return this.#consensus.propose(record, at, effects);
      },
    };
  }

  #outputsOfConsensus(): ConsensusOutputs {
    return {
      standingChanged: (standing) => this.#onStanding(standing),
      readConfirmed: (token, index) => this.#desk.confirmed(token, index),
      readFailed: (token, reason) => this.#desk.failed(token, reason, this.#fx),
    };
  }

  #onStanding(standing: Standing): void {
    if (this.#standing.role === "leader" && standing.role !== "leader") this.#hasLostLead = true;
    this.#standing = standing;
    this.#upkeep.onStanding(standing);
  }
}
