import type { CoordinatorContext, Effects, Request } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type {
  ClientMessage,
  ConfigurationPoint,
  RaftMessage,
  RefusedMessage,
  ReplicaRefusal,
} from "./client-messages.ts";
import type { Configuration, Member } from "./configuration.ts";
import type { Errand, Errands, ErrandTask, ReplicaReply, Route } from "./errands.ts";
import {
  bornAlone,
  changeUnknown,
  noReplicaHere,
  otherChange,
  quorumLost,
  quorumPresent,
  unavailable,
} from "./faults.ts";

type Fx = Effects<RaftMessage>;

/** A request's memo while a shard's replicas are asked for, or changed. */
export class PendingMembers implements ErrandTask {
  readonly request: Request;
  readonly shardIndex: number;
  readonly goal: readonly NodeId[];
  readonly #flow: MembersFlow;
  errand: Errand | undefined = undefined;
  /** Not who leads is asked, but this node: what is here becomes all there is. */
  readonly recovers: boolean;
  /** A leader has said that the change is under way. */
  isBegun = false;
  /** What a replica has said last. */
  lastWord: ReplicaRefusal | undefined = undefined;
  /** What a leader has said is in force: a change may begin from that alone. */
  base: ConfigurationPoint | undefined = undefined;
  /** The first that one has named. */
  firstBase: ConfigurationPoint | undefined = undefined;
  /** How many different ones leaders have named. */
  basesTold = 0;

  constructor(flow: MembersFlow, request: Request) {
    this.#flow = flow;
    this.request = request;
    this.shardIndex = request.operation.shardIndex;
    this.goal = request.operation.options?.replicas ?? [];
    this.recovers = request.operation.options?.acceptLoss === true;
  }

  get route(): Route {
    return this.recovers ? "here" : "leader";
  }

  /** Whether a change may come of what was sent. */
  get mayHaveActed(): boolean {
    if (this.recovers) return this.isBegun;
    if (this.goal.length === 0) return false;
    if (this.isBegun) return true;
    return this.base !== undefined && this.errand !== undefined && this.errand.open > 0;
  }

  message(requestId: number): ClientMessage {
    if (this.recovers) return { type: "recover", requestId, isBegun: this.isBegun };
    const { goal, base, firstBase } = this;
    const renews = base !== undefined && isSamePoint(base, firstBase);
    return { type: "members", requestId, goal, base, renews };
  }

  answered(_errand: Errand, reply: ReplicaReply, _nowMs: number, effects: Fx): void {
    if (reply.type !== "members-reply") return;
    this.#flow.onReply(this, reply.configuration, effects);
  }

  refused(
    _errand: Errand,
    reason: ReplicaRefusal,
    _nowMs: number,
    effects: Fx,
    { configurationGroup: group, configurationIndex: index }: RefusedMessage,
  ): boolean {
    this.lastWord = reason;
    if (reason === "other-base") {
      const told = { group, index };
      // A second copy of one question brings the same.
      if (!isSamePoint(told, this.base)) this.basesTold++;
      this.base = told;
      this.firstBase ??= told;
    }
    return this.#flow.onRefused(this, reason, effects);
  }
}

/** Changes of who holds a shard, from one node: asked of its leader until they are in force. */
export class MembersFlow {
  readonly #context: CoordinatorContext;
  readonly #errands: Errands;

  constructor(context: CoordinatorContext, errands: Errands) {
    this.#context = context;
    this.#errands = errands;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const pending = new PendingMembers(this, request);
    const [placed, ...others] = this.#context.placement(pending.shardIndex).replicas;
    if (pending.goal.length > 0 && placed !== undefined && others.length === 0) {
      effects.refuse(request, bornAlone(pending.shardIndex, placed));
      return;
    }
    request.memo = pending;
    if (pending.recovers && !this.#errands.holdsCopy(pending.shardIndex)) {
      const replicas = this.#errands.replicasOf(pending.shardIndex);
      effects.refuse(request, noReplicaHere(this.#context.self.node, pending.shardIndex, replicas));
      return;
    }
    pending.errand = this.#errands.start(pending, nowMs, effects);
  }

  onReply({ request, shardIndex }: PendingMembers, found: Configuration, effects: Fx): void {
    const { voters, learners, goal } = found;
    effects.replyBeforeDurable(request, {
      voters: namesOf(voters),
      learners: namesOf(learners),
      goal: goal === undefined ? undefined : namesOf(goal.voters),
      leader: this.#errands.leaderOf(shardIndex) ?? this.#context.self.node,
    });
  }

  onRefused(pending: PendingMembers, reason: ReplicaRefusal, effects: Fx): boolean {
    const { shardIndex } = pending;
    if (reason === "changing") pending.isBegun = true;
    if (reason === "quorum-present") return this.#end(pending, quorumPresent(shardIndex), effects);
    if (reason === "quorum-lost") return this.#end(pending, quorumLost(shardIndex), effects);
    if (reason === "other-change") return this.#end(pending, otherChange(shardIndex), effects);
    return true;
  }

  onDeadline(pending: PendingMembers, effects: Fx): void {
    const { shardIndex, recovers } = pending;
    if (recovers) {
      const late = `shard ${shardIndex} did not come to lead itself in time`;
      this.#end(pending, unavailable(late, [this.#context.self.node], []), effects);
      return;
    }
    const what = whyLate(pending);
    const replicas = this.#errands.replicasOf(shardIndex);
    const reachable = this.#errands.reachableReplicas(shardIndex);
    this.#end(pending, unavailable(what, replicas, reachable), effects);
  }

  onAborted(pending: PendingMembers, effects: Fx): void {
    this.#end(pending, new CapstanError("ABORTED", "the call was aborted"), effects);
  }

  #end(pending: PendingMembers, fault: CapstanError, effects: Fx): false {
    const { errand, request, shardIndex, recovers, goal: asked } = pending;
    const goal = recovers ? [this.#context.self.node] : asked;
    if (errand !== undefined) this.#errands.end(errand);
    effects.refuse(request, pending.mayHaveActed ? changeUnknown(shardIndex, goal, fault) : fault);
    return false;
  }
}

/** What was missing when the time of a change, or of the question who holds a shard, was over. */
function whyLate(pending: PendingMembers): string {
  const { shardIndex, goal, lastWord, isBegun, basesTold } = pending;
  if (isBegun) return `the change has begun, and was not heard to have ended in time`;
  switch (lastWord) {
    case "not-yet":
      return `the leader of shard ${shardIndex} has not heard of all of ${goal.join(", ")} in time`;
    case "other-base":
      if (pending.mayHaveActed) return `the leader of shard ${shardIndex} has not answered in time`;
      return basesTold > 1
        ? `other changes of the replicas of shard ${shardIndex} came before this one all the time`
        : `the leader of shard ${shardIndex} was found too late to be asked for the change`;
    default:
      return `no leader of shard ${shardIndex} was found in time`;
  }
}

function isSamePoint(a: ConfigurationPoint, b: ConfigurationPoint | undefined): boolean {
  return a.group === b?.group && a.index === b.index;
}

function namesOf(members: readonly Member[]): readonly NodeId[] {
  return members.map(({ node }) => node);
}
