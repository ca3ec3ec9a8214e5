import type { CoordinatorContext, Effects, Request } from "../../core/contracts/machine.ts";
import { CapstanError, overloaded } from "../../core/model/errors.ts";
import type { Applied } from "./apply.ts";
import type {
  ClientMessage,
  ProposeReply,
  RaftMessage,
  ReplicaRefusal,
} from "./client-messages.ts";
import {
  bodyOfRecord,
  type Identity,
  MAX_ACTIONS,
  mostBodyBytes,
  proposedRecord,
  writeWriteBody,
} from "./commands.ts";
import type { Errand, Errands, ErrandTask, ReplicaReply } from "./errands.ts";
import {
  expired,
  fenced,
  noMajority,
  quorumLost,
  reused,
  tooLarge,
  tooMany,
  unavailable,
  unknownOutcome,
} from "./faults.ts";
import { actionsOf, identityOf } from "./given-writes.ts";
import type { OperationSessions, SessionIdentity } from "./operation-sessions.ts";
import { readResultOf, sessionMarkOf } from "./read-results.ts";
import { writeReceipt } from "./receipts.ts";
import { RecordSlab } from "./record-slab.ts";
import { encodeRevision } from "./version.ts";

type Fx = Effects<RaftMessage>;

/** A request's memo while it is written. */
export class PendingWrite implements ErrandTask {
  readonly route = "leader";
  readonly isProposal = true;
  readonly request: Request;
  readonly shardIndex: number;
  readonly identity: Identity;
  /** Whether the identity came with the operation: an earlier call may have sent it already. */
  readonly isGiven: boolean;
  readonly #flow: WriteFlow;
  readonly #record: Uint8Array;
  errand: Errand | undefined = undefined;

  constructor(
    flow: WriteFlow,
    request: Request,
    identity: Identity,
    isGiven: boolean,
    record: Uint8Array,
  ) {
    this.#flow = flow;
    this.request = request;
    this.shardIndex = request.operation.shardIndex;
    this.identity = identity;
    this.isGiven = isGiven;
    this.#record = record;
  }

  /** No replica may still act upon a copy that this call has sent. */
  get isNowhere(): boolean {
    return this.errand === undefined || this.errand.open === 0;
  }

  message(requestId: number, isAgain: boolean): ClientMessage {
    if (!isAgain) return { type: "propose", requestId, record: this.#record };
    // What was sent before may be an entry of this node's log by now.
    const record = proposedRecord(bodyOfRecord(this.#record));
    return { type: "propose-again", requestId, record };
  }

  answered(errand: Errand, reply: ReplicaReply, nowMs: number, effects: Fx): void {
    if (reply.type === "propose-reply") this.#flow.onReply(this, errand, reply, nowMs, effects);
  }

  refused(_errand: Errand, reason: ReplicaRefusal, _nowMs: number, effects: Fx): boolean {
    return this.#flow.onRefused(this, reason, effects);
  }
}

/**
 * Writes of a raft keyspace, from one node: to the shard's leader, under an identity, until it is
 * known what became of them.
 *
 * The three outcomes: `applied` by the reply about the committed entry; `not-applied` only where
 * every copy that was sent was refused before it was appended, or lost its place to another entry;
 * else `unknown`.
 */
export class WriteFlow {
  readonly #context: CoordinatorContext;
  readonly #errands: Errands;
  readonly #sessions: OperationSessions;
  readonly #slab = new RecordSlab();

  constructor(context: CoordinatorContext, errands: Errands, sessions: OperationSessions) {
    this.#context = context;
    this.#errands = errands;
    this.#sessions = sessions;
  }

  start(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    const { operation } = request;
    const { shardIndex, level } = operation;
    if (!this.#errands.hasMajority(shardIndex)) {
      const replicas = this.#errands.replicasOf(shardIndex);
      const reachable = this.#errands.reachableReplicas(shardIndex);
      effects.refuse(request, noMajority(level, replicas, reachable));
      return;
    }
    let named: SessionIdentity | undefined;
    try {
      const given = identityOf(operation, this.#context);
      const actions = actionsOf(operation, this.#context);
      if (actions.length > MAX_ACTIONS) throw tooMany(actions.length, MAX_ACTIONS);
      if (given === undefined) named = this.#sessions.next(shardIndex, nowMs, wallMs);
      const identity = given ?? (named as SessionIdentity);
      const { key, value } = operation;
      const slab = this.#slab;
      writeWriteBody(slab.begin(key.length + (value?.length ?? 0)), identity, actions);
      const most = mostBodyBytes(this.#context.maxRecordBytes);
      if (slab.bodyBytes > most) throw tooLarge(actions.length, slab.bodyBytes, most);
      const isGiven = given !== undefined;
      const record = slab.take();
      this.#send(new PendingWrite(this, request, identity, isGiven, record), nowMs, effects);
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      if (named !== undefined) this.#sessions.settled(shardIndex, named);
      effects.refuse(request, error);
    }
  }

  onReply(
    pending: PendingWrite,
    errand: Errand,
    reply: ProposeReply,
    nowMs: number,
    effects: Fx,
  ): void {
    const { applied } = reply;
    const { request } = pending;
    this.#settled(pending);
    switch (applied.type) {
      case "written":
      case "rejected":
        effects.replyBeforeDurable(request, this.#resultOf(pending, applied, reply, nowMs));
        return;
      case "fenced":
        effects.refuse(request, fenced(this.#idOf(pending)));
        return;
      case "reused":
        effects.refuse(request, reused(this.#idOf(pending)));
        return;
      case "full":
        this.#end(
          pending,
          overloaded("the shard remembers as many operations as it can"),
          errand,
          effects,
        );
        return;
      default:
        if (applied.type === "forgotten") this.#sessions.riseAbove(applied.floor ?? 0);
        this.#onForgotten(pending, errand, effects);
    }
  }

  onRefused(pending: PendingWrite, reason: ReplicaRefusal, effects: Fx): boolean {
    if (reason === "quorum-lost") {
      this.#refuseLost(pending, effects);
      return false;
    }
    if (reason !== "backlog" || !pending.isNowhere) return true;
    if (pending.errand !== undefined) this.#errands.end(pending.errand);
    this.#settled(pending);
    effects.refuse(pending.request, overloaded("too much waits to be committed in the shard"));
    return false;
  }

  onDeadline(pending: PendingWrite, effects: Fx): void {
    this.#giveUp(pending, "no majority has confirmed the write in time", effects, () => {
      const { shardIndex } = pending;
      const replicas = this.#errands.replicasOf(shardIndex);
      const reachable = this.#errands.reachableReplicas(shardIndex);
      return unavailable(`no leader of shard ${shardIndex} was found in time`, replicas, reachable);
    });
  }

  onAborted(pending: PendingWrite, effects: Fx): void {
    this.#giveUp(
      pending,
      "the write was aborted after it was sent",
      effects,
      () => new CapstanError("ABORTED", "the write was aborted before a replica had taken it"),
    );
  }

  operationIdOf({ memo }: Request): string | undefined {
    return memo instanceof PendingWrite && !memo.isNowhere ? this.#idOf(memo) : undefined;
  }

  #send(pending: PendingWrite, nowMs: number, effects: Fx): void {
    pending.request.memo = pending;
    pending.errand = this.#errands.start(pending, nowMs, effects);
  }

  /** No leader will come; a copy that was appended before may still lie in a log. */
  #refuseLost(pending: PendingWrite, effects: Fx): void {
    if (pending.errand !== undefined) this.#errands.end(pending.errand);
    this.#settled(pending);
    const { isNowhere, shardIndex, request } = pending;
    effects.refuse(request, quorumLost(shardIndex, isNowhere ? undefined : this.#idOf(pending)));
    if (!isNowhere) this.#leaveSession(pending);
  }

  #giveUp(pending: PendingWrite, what: string, effects: Fx, notApplied: () => CapstanError): void {
    const { errand } = pending;
    if (errand !== undefined) this.#errands.end(errand);
    this.#settled(pending);
    // A given id may have been sent by an earlier call, but this one's copies are nowhere.
    if (pending.isNowhere) {
      effects.refuse(pending.request, notApplied());
      return;
    }
    effects.refuse(pending.request, unknownOutcome(what, this.#idOf(pending)));
    this.#leaveSession(pending);
  }

  /** Its session is over. What was sent once, and not found applied, was not applied. */
  #onForgotten(pending: PendingWrite, errand: Errand, effects: Fx): void {
    this.#leaveSession(pending);
    if (pending.identity.type === "session") this.#sessions.handOutNoMore(pending.identity.session);
    if (pending.isGiven || errand.copies > 1) {
      effects.refuse(pending.request, expired(this.#idOf(pending)));
      return;
    }
    const { shardIndex } = pending;
    const replicas = this.#errands.replicasOf(shardIndex);
    const reachable = this.#errands.reachableReplicas(shardIndex);
    effects.refuse(
      pending.request,
      unavailable(`shard ${shardIndex} has ended this node's session`, replicas, reachable),
    );
  }

  /** A refusal about this copy is one of the write only if no other copy may be anywhere. */
  #end(pending: PendingWrite, fault: CapstanError, errand: Errand, effects: Fx): void {
    if (errand.open > 1) {
      effects.refuse(pending.request, unknownOutcome(fault.message, this.#idOf(pending)));
      this.#leaveSession(pending);
    } else {
      effects.refuse(pending.request, fault);
    }
  }

  /** It is not asked for again; where its outcome is unknown its session is left as well. */
  #settled({ identity, isGiven, shardIndex }: PendingWrite): void {
    if (!isGiven && identity.type === "session") this.#sessions.settled(shardIndex, identity);
  }

  #leaveSession({ identity, isGiven, shardIndex }: PendingWrite): void {
    if (!isGiven && identity.type === "session") this.#sessions.leave(shardIndex, identity.session);
  }

  #resultOf(
    { request, shardIndex }: PendingWrite,
    applied: Extract<Applied, { type: "written" | "rejected" }>,
    reply: ProposeReply,
    nowMs: number,
  ) {
    const { level, options } = request.operation;
    const { keyspaceHash } = this.#context;
    const { epoch } = this.#context.placement(shardIndex);
    const durationMs = nowMs - request.startedAtMs;
    const { voters, lifeMark } = reply;
    const receipt = writeReceipt({ asked: level, voters, epoch, durationMs });
    const session = options?.session === undefined ? undefined : sessionMarkOf(reply);
    if (applied.type === "written") {
      const version = encodeRevision(keyspaceHash, lifeMark, applied.revision);
      return session === undefined ? { version, receipt } : { version, receipt, session };
    }
    const current = readResultOf(applied.current, keyspaceHash, lifeMark, receipt);
    return {
      version: current.version ?? "",
      receipt,
      rejected: { reason: applied.reason, current },
      ...(session !== undefined && { session }),
    };
  }

  #idOf({ request, identity, shardIndex, isGiven }: PendingWrite): string {
    if (isGiven || identity.type === "own-key") return request.operation.operationId ?? "";
    return this.#sessions.textOf(identity, shardIndex);
  }
}
