import type { CoordinatorContext, Effects, Sender } from "../../core/contracts/machine.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import type {
  ClientMessage,
  ConfigurationPoint,
  MembersReply,
  ProposeReply,
  RaftMessage,
  RangeReply,
  ReadReply,
  RefusedMessage,
  ReplicaRefusal,
} from "./client-messages.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { RaftReplica } from "./replica.ts";

/** To whom: who leads, or whoever is nearest; `follower`: rather not the leader; `here`: this node. */
export type Route = "leader" | "nearest" | "follower" | "here";

export type ReplicaReply = ProposeReply | ReadReply | RangeReply | MembersReply;

/** Something that one replica of a shard is to do, asked until it has answered. */
export interface ErrandTask {
  readonly shardIndex: number;
  readonly route: Route;
  /** A proposal: who may have it by now is asked whether it has, and is not sent it again. */
  readonly isProposal?: true;
  /** @param isAgain whether it was sent before, to whomever. */
  message(requestId: number, isAgain: boolean): ClientMessage;
  /** The errand has ended. */
  answered(errand: Errand, reply: ReplicaReply, nowMs: number, effects: Effects<RaftMessage>): void;
  /**
   * A replica has refused. True: ask again, elsewhere or later. False: the task has ended the errand
   * itself.
   */
  refused(
    errand: Errand,
    reason: ReplicaRefusal,
    nowMs: number,
    effects: Effects<RaftMessage>,
    message: RefusedMessage,
  ): boolean;
}

/** A task on its way. */
export class Errand {
  readonly id: number;
  readonly task: ErrandTask;
  /** How often somebody was asked, and how many of those questions a replica may still act upon. */
  sent = 0;
  open = 0;
  /** How often the whole of it was sent, and to whom: those who have refused it since are left out. */
  copies = 0;
  told: readonly NodeId[] = [];
  target: NodeId | undefined;
  /** The target was only asked whether it has been proposed. */
  isQuestion = false;
  /** When to ask again if nothing has come. */
  retryAtMs = 0;
  /** The leader that was asked last, and for how long its answer was waited for. */
  leader: NodeId | undefined;
  leaderWaitMs = 0;
  /** How often it went to whoever is next, rather than to whom was named: to go round among them. */
  round = 0;
  /** How often in a row it went to whom somebody had named as the leader. */
  followed = 0;

  constructor(id: number, task: ErrandTask) {
    this.id = id;
    this.task = task;
  }
}

interface Told extends ConfigurationPoint {
  readonly voters: readonly NodeId[];
}

const MAX_ID = 0xffff_fffe;
/** After a refusal that names nobody else: an election takes some of these. */
const PAUSE_MS = 15;
/** The longest wait, in first ones. */
const MAX_WAITS = 16;
/** Then somebody else is asked: nodes that hold the shard no longer may name each other for ever. */
const MAX_FOLLOWED = 2;

/**
 * Carries questions to replicas and answers back: finds the leader, follows hints, asks again.
 * Asking again is harmless: reads change nothing, and a write has an identity under which it is
 * applied at most once; so has a change of replicas, by what it begins from.
 */
export class Errands {
  readonly #context: CoordinatorContext;
  readonly #resendMs: number;
  readonly #errands = new IdTable<Errand>();
  /** Who led a shard when it was last heard of. */
  readonly #hints = new Map<number, NodeId>();
  /** Who votes in shards, as the newest refusal had it. */
  readonly #told = new Map<number, Told>();
  readonly #planted: PlantedReplicaBugs;
  #lastId: number;

  constructor(
    context: CoordinatorContext,
    resendMs: number,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#context = context;
    this.#planted = planted;
    this.#resendMs = resendMs;
    // Anywhere, so that an answer to an earlier start meets nobody.
    this.#lastId = context.randomUint32() % MAX_ID;
  }

  get size(): number {
    return this.#errands.size;
  }

  start(task: ErrandTask, nowMs: number, effects: Effects<RaftMessage>): Errand {
    this.#lastId = this.#lastId >= MAX_ID ? 1 : this.#lastId + 1;
    const errand = new Errand(this.#lastId, task);
    this.#errands.set(errand.id, errand);
    this.#send(errand, nowMs, effects);
    return errand;
  }

  /** Nobody waits for it any more. */
  end(errand: Errand): void {
    this.#errands.delete(errand.id);
  }

  onMessage(
    from: Sender,
    shardIndex: number,
    message: RaftMessage,
    nowMs: number,
    effects: Effects<RaftMessage>,
  ): void {
    switch (message.type) {
      case "refused":
        this.#onRefused(from.node, shardIndex, message, nowMs, effects);
        return;
      case "members-reply":
      case "propose-reply":
      case "read-reply":
      case "range-reply": {
        const errand = this.#errands.get(message.requestId);
        if (errand === undefined || errand.task.shardIndex !== shardIndex) return;
        this.#errands.delete(errand.id);
        if (message.type === "propose-reply" || message.type === "members-reply")
          this.#hints.set(shardIndex, from.node);
        errand.task.answered(errand, message, nowMs, effects);
        return;
      }
      default:
        return;
    }
  }

  /** Asks again what is overdue, and what waits for a leader that has changed. */
  sweep(nowMs: number, effects: Effects<RaftMessage>): void {
    for (const errand of this.#errands.values()) {
      const { route, shardIndex } = errand.task;
      const leader = route === "leader" ? this.leaderOf(shardIndex) : undefined;
      const hasMoved = leader !== undefined && errand.target !== leader;
      if (hasMoved || nowMs >= errand.retryAtMs) this.#send(errand, nowMs, effects);
    }
  }

  /** Who leads the shard as far as is known here, and can be reached. */
  leaderOf(shardIndex: number): NodeId | undefined {
    const known = this.localReplica(shardIndex)?.standing.leader ?? this.#hints.get(shardIndex);
    return known !== undefined && this.#context.isReachable(known) ? known : undefined;
  }

  /** This node's own replica of the shard, if it is open and has a vote. */
  localReplica(shardIndex: number): RaftReplica | undefined {
    const replica = this.#context.localReplica(shardIndex);
    return replica instanceof RaftReplica && replica.isVoter ? replica : undefined;
  }

  /**
   * Whether this node has a copy of the shard, whatever that counts now: a node that was removed, or
   * has not been taken in yet, may be all that is left.
   */
  holdsCopy(shardIndex: number): boolean {
    const replica = this.#context.localReplica(shardIndex);
    return replica instanceof RaftReplica && replica.hasCopy;
  }

  /** Whether this node is to have a replica of the shard that has not been taken in yet. */
  isJoining(shardIndex: number): boolean {
    const replica = this.#context.localReplica(shardIndex);
    if (!(replica instanceof RaftReplica) || replica.isVoter || replica.isDismissed) return false;
    return this.#context.placement(shardIndex).replicas.includes(this.#context.self.node);
  }

  /**
   * Who holds the shard, by the latest that this node's replica knows, though it may hold it no more,
   * or that others have told: else those whom the map names.
   */
  replicasOf(shardIndex: number): readonly NodeId[] {
    const told = this.#told.get(shardIndex);
    const replica = this.#context.localReplica(shardIndex);
    if (replica instanceof RaftReplica) {
      const isNews = told !== undefined && isLater(told, replica.heldSince);
      const holders = isNews ? [] : replica.holders;
      if (holders.length > 0) return holders;
    }
    return told?.voters ?? this.#context.placement(shardIndex).replicas;
  }

  /** Those who may hold it, or know who does. */
  reachableReplicas(shardIndex: number): readonly NodeId[] {
    const { replicas } = this.#context.placement(shardIndex);
    const known = this.replicasOf(shardIndex);
    const all = known === replicas ? known : new Set([...known, ...replicas]);
    return [...all].filter((node) => this.#context.isReachable(node));
  }

  /** Replicas that are not there, as far as is known here. */
  missingReplicas(shardIndex: number): readonly NodeId[] {
    const lost = this.localReplica(shardIndex)?.lostVoters ?? [];
    return this.replicasOf(shardIndex).filter(
      (node) => lost.includes(node) || !this.#context.isReachable(node),
    );
  }

  /** False where no set of replicas that is known here could decide anything. */
  hasMajority(shardIndex: number): boolean {
    const { replicas } = this.#context.placement(shardIndex);
    return this.#isReached(replicas) || this.#isReached(this.replicasOf(shardIndex));
  }

  /** The same of those alone who hold the shard now, as far as is known here: what a node says of it. */
  holdersHaveMajority(shardIndex: number): boolean {
    return this.#isReached(this.replicasOf(shardIndex));
  }

  #isReached(nodes: readonly NodeId[]): boolean {
    let reached = 0;
    for (const node of nodes) if (this.#context.isReachable(node)) reached++;
    return reached >= majorityOf(nodes.length);
  }

  /** What a replica says that may hold the shard no longer. */
  #learn(shardIndex: number, message: RefusedMessage): void {
    const { voters, configurationGroup: group, configurationIndex: index } = message;
    const told = this.#told.get(shardIndex);
    if (voters.length === 0) return;
    const since = { group, index };
    if (told !== undefined && isLater(told, since)) return;
    this.#told.set(shardIndex, { ...since, voters });
  }

  #onRefused(
    from: NodeId,
    shardIndex: number,
    message: RefusedMessage,
    nowMs: number,
    effects: Effects<RaftMessage>,
  ): void {
    const { requestId, reason, leader } = message;
    this.#learn(shardIndex, message);
    if (leader !== undefined) this.#hints.set(shardIndex, leader);
    else if (this.#hints.get(shardIndex) === from) this.#hints.delete(shardIndex);
    const errand = this.#errands.get(requestId);
    if (errand === undefined || errand.task.shardIndex !== shardIndex) return;
    // What was appended before leadership was lost may be committed by the next leader.
    if (reason !== "undecided") errand.open--;
    if (reason === "proposed" || reason === "not-proposed") {
      this.#onProposed(errand, from, reason === "proposed", nowMs, effects);
      return;
    }
    errand.told = errand.told.filter((node) => node !== from);
    if (!errand.task.refused(errand, reason, nowMs, effects, message)) return;
    if (errand.target !== from) return;
    const next = this.#choose(errand);
    if (next !== undefined && next !== from && errand.sent <= 1) {
      this.#send(errand, nowMs, effects);
    } else {
      errand.retryAtMs = nowMs + PAUSE_MS;
    }
  }

  /** The leader says whether the proposal is an entry of its log, of which it will tell. */
  #onProposed(
    errand: Errand,
    from: NodeId,
    isSo: boolean,
    nowMs: number,
    effects: Effects<RaftMessage>,
  ): void {
    // It is there, and late: nobody else has to be asked.
    errand.followed = 0;
    if (isSo || errand.target !== from || !errand.isQuestion) return;
    errand.told = errand.told.filter((node) => node !== from);
    this.#send(errand, nowMs, effects, from);
  }

  #send(
    errand: Errand,
    nowMs: number,
    effects: Effects<RaftMessage>,
    target = this.#choose(errand),
  ): void {
    if (target === undefined) {
      errand.retryAtMs = nowMs + PAUSE_MS;
      return;
    }
    const { task } = errand;
    errand.isQuestion = this.#mayHave(errand, target);
    errand.target = target;
    errand.sent++;
    // A refusal does not say whether it is of a question or of a copy: both count.
    if (!errand.isQuestion || this.#planted.questionIsNoCopy !== true) errand.open++;
    const isToLeader = task.route === "leader" && errand.followed < MAX_FOLLOWED;
    const isNamed = isToLeader && target === this.leaderOf(task.shardIndex);
    errand.retryAtMs = nowMs + (isNamed ? this.#waitOfLeader(errand, target) : this.#resendMs);
    errand.followed = isNamed ? errand.followed + 1 : 0;
    if (!isNamed) errand.round++;
    effects.send(target, "replica", task.shardIndex, this.#messageTo(errand, target));
  }

  /** Whether only to ask: it may be there, or the target may not be the one to have it. */
  #mayHave({ task, copies, told }: Errand, target: NodeId): boolean {
    if (task.isProposal !== true || copies === 0) return false;
    return told.includes(target) || target !== this.leaderOf(task.shardIndex);
  }

  #messageTo(errand: Errand, target: NodeId): ClientMessage {
    if (errand.isQuestion) return { type: "is-proposed", requestId: errand.id };
    const isAgain = errand.copies > 0;
    errand.copies++;
    if (!errand.told.includes(target)) errand.told = [...errand.told, target];
    return errand.task.message(errand.id, isAgain);
  }

  /**
   * Longer each time that the same one is asked. What was lost on the way is asked again soon; where it
   * is only late, as over a slow link, each question more would stand before the answer.
   */
  #waitOfLeader(errand: Errand, leader: NodeId): number {
    const doubled = Math.min(errand.leaderWaitMs * 2, MAX_WAITS * this.#resendMs);
    errand.leaderWaitMs = leader === errand.leader ? doubled : this.#resendMs;
    errand.leader = leader;
    return errand.leaderWaitMs;
  }

  #choose(errand: Errand): NodeId | undefined {
    const { shardIndex, route } = errand.task;
    if (route === "here") return this.#context.self.node;
    if (route === "leader" && errand.followed < MAX_FOLLOWED) {
      const leader = this.leaderOf(shardIndex);
      if (leader !== undefined) return leader;
    }
    const { node: self } = this.#context.self;
    const isHere = this.localReplica(shardIndex)?.serving === true;
    if (isHere && errand.target !== self && route !== "leader") return self;
    const reachable = this.reachableReplicas(shardIndex);
    const leader = this.leaderOf(shardIndex);
    const others = route === "follower" ? reachable.filter((node) => node !== leader) : reachable;
    const among = others.length > 0 ? others : reachable;
    return among[errand.round % Math.max(1, among.length)];
  }
}

/** A later group's log is another one: what stands in it is newer, at whichever index. */
function isLater(a: ConfigurationPoint, b: ConfigurationPoint): boolean {
  return a.group > b.group || (a.group === b.group && a.index > b.index);
}
