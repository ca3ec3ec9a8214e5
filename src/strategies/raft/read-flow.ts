import type { Clocks, CoordinatorContext, Effects, Request } from "../../core/contracts/machine.ts";
import { CapstanError, overloaded } from "../../core/model/errors.ts";
import type { Level } from "../../core/model/levels.ts";
import type { Operation, OperationResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import type { ClientMessage, RaftMessage, ReadReply, ReplicaRefusal } from "./client-messages.ts";
import type { Errand, Errands, ErrandTask, ReplicaReply, Route } from "./errands.ts";
import { noMajority, otherLife, quorumLost, unavailable } from "./faults.ts";
import { achievedBy, readResultOf, seenIn, sessionMarkOf, wayOf } from "./read-results.ts";
import { liveRecordOf } from "./read-state.ts";
import { readReceipt } from "./receipts.ts";
import type { RaftReplica } from "./replica.ts";
import { isOfNoLife } from "./version.ts";

type Fx = Effects<RaftMessage>;

/** A request's memo while it is read. */
export class PendingRead implements ErrandTask {
  readonly request: Request;
  readonly shardIndex: number;
  readonly route: Route;
  readonly #flow: ReadFlow;
  errand: Errand | undefined = undefined;

  constructor(flow: ReadFlow, request: Request, route: Route) {
    this.#flow = flow;
    this.request = request;
    this.shardIndex = request.operation.shardIndex;
    this.route = route;
  }

  message(requestId: number): ClientMessage {
    const { key, level, options } = this.request.operation;
    const { shardIndex } = this;
    const lifeMark = this.#flow.lifeMarkHere(shardIndex);
    const seen = seenIn(options?.session, { lifeMark, shardIndex });
    return { type: "read", requestId, way: wayOf(level), seen, key };
  }

  answered(_errand: Errand, reply: ReplicaReply, nowMs: number, effects: Fx): void {
    if (reply.type === "read-reply") this.#flow.onReply(this, reply, nowMs, effects);
  }

  refused(errand: Errand, reason: ReplicaRefusal, _nowMs: number, effects: Fx): boolean {
    return this.#flow.onRefused(this, errand, reason, effects);
  }
}

/** Where a read of this level goes. */
export function routeOf(level: Level): Route {
  const way = wayOf(level);
  if (way === "local") return "nearest";
  return level === "follower" ? "follower" : "leader";
}

/** Reads of a raft keyspace, from one node. They change nothing, and are asked until answered. */
export class ReadFlow {
  readonly #context: CoordinatorContext;
  readonly #errands: Errands;
  /** Of answers that were given at once: one for each level and number of voters. */
  #receipts = new Map<Level, Receipt>();
  #receiptsOf = { voters: 0, epoch: 0 };

  constructor(context: CoordinatorContext, errands: Errands) {
    this.#context = context;
    this.#errands = errands;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const { level, shardIndex } = request.operation;
    if (wayOf(level) !== "local" && !this.#errands.hasMajority(shardIndex)) {
      const replicas = this.#errands.replicasOf(shardIndex);
      const reachable = this.#errands.reachableReplicas(shardIndex);
      effects.refuse(request, noMajority(level, replicas, reachable));
      return;
    }
    const pending = new PendingRead(this, request, routeOf(level));
    request.memo = pending;
    pending.errand = this.#errands.start(pending, nowMs, effects);
  }

  /**
   * What this node's own replica can answer without asking anybody: `lease` while it leads and its
   * lease holds, also after the state was read; the weaker levels while it serves.
   */
  readNow(operation: Operation, clocks: Clocks): OperationResult | undefined {
    const { level, shardIndex, key, keyText, options } = operation;
    const way = wayOf(level);
    if (way === "strong") return undefined;
    const replica = this.#errands.localReplica(shardIndex);
    if (replica === undefined) return undefined;
    if (way === "lease" && replica.standing.role !== "leader") return undefined;
    const state = this.#context.servingState(shardIndex);
    if (state === undefined || !hasSeen(replica, shardIndex, options?.session)) return undefined;
    const { books, lifeMark } = replica.machine;
    const record = liveRecordOf(state, key, books.clockMs, keyText);
    if (way === "lease") {
      const nowMs = clocks.monotonicMs();
      if (!replica.leaseHolds({ nowMs, wallMs: clocks.wallMs() })) return undefined;
    }
    const receipt = this.#receiptNow(level, replica.voters, shardIndex);
    const result = readResultOf(record, this.#context.keyspaceHash, lifeMark, receipt);
    if (options?.session === undefined) return result;
    return { ...result, session: sessionMarkOf({ lifeMark, appliedIndex: books.appliedIndex }) };
  }

  onReply({ request, shardIndex }: PendingRead, reply: ReadReply, nowMs: number, effects: Fx) {
    const { level, options } = request.operation;
    const { voters, lifeMark, way } = reply;
    const { epoch } = this.#context.placement(shardIndex);
    const durationMs = nowMs - request.startedAtMs;
    const achieved = achievedBy(level, way);
    const receipt = readReceipt({ asked: level, achieved, voters, epoch, durationMs });
    const result = readResultOf(reply.record, this.#context.keyspaceHash, lifeMark, receipt);
    const session = options?.session === undefined ? undefined : sessionMarkOf(reply);
    effects.replyBeforeDurable(request, session === undefined ? result : { ...result, session });
  }

  onRefused(
    { request, shardIndex }: PendingRead,
    errand: Errand,
    reason: ReplicaRefusal,
    effects: Fx,
  ): boolean {
    const fault = this.#faultOf(reason, shardIndex);
    if (fault === undefined) return true;
    this.#errands.end(errand);
    effects.refuse(request, fault);
    return false;
  }

  /** Undefined where another replica, or this one later, may answer. */
  #faultOf(reason: ReplicaRefusal, shardIndex: number): CapstanError | undefined {
    if (reason === "backlog") return overloaded("too many reads wait already");
    if (reason === "quorum-lost") return quorumLost(shardIndex);
    return reason === "other-life" ? otherLife() : undefined;
  }

  onDeadline({ request, errand, shardIndex }: PendingRead, effects: Fx): void {
    if (errand !== undefined) this.#errands.end(errand);
    const replicas = this.#errands.replicasOf(shardIndex);
    const reachable = this.#errands.reachableReplicas(shardIndex);
    const { level } = request.operation;
    const what = `no replica of shard ${shardIndex} could answer at the level ${level} in time`;
    effects.refuse(request, unavailable(what, replicas, reachable));
  }

  onAborted({ request, errand }: PendingRead, effects: Fx): void {
    if (errand !== undefined) this.#errands.end(errand);
    effects.refuse(request, new CapstanError("ABORTED", "the read was aborted"));
  }

  lifeMarkHere(shardIndex: number): number {
    return this.#errands.localReplica(shardIndex)?.machine.lifeMark ?? 0;
  }

  #receiptNow(level: Level, voters: number, shardIndex: number): Receipt {
    const { epoch } = this.#context.placement(shardIndex);
    if (this.#receiptsOf.voters !== voters || this.#receiptsOf.epoch !== epoch) {
      this.#receipts = new Map();
      this.#receiptsOf = { voters, epoch };
    }
    const known = this.#receipts.get(level);
    if (known !== undefined) return known;
    const achieved = achievedBy(level, wayOf(level));
    const made = Object.freeze(
      readReceipt({ asked: level, achieved, voters, epoch, durationMs: 0 }),
    );
    this.#receipts.set(level, made);
    return made;
  }
}

/** Whether the replica's state shows all that the session has seen. */
function hasSeen(
  replica: RaftReplica,
  shardIndex: number,
  mark: Parameters<typeof seenIn>[0],
): boolean {
  const { books, lifeMark } = replica.machine;
  const seen = seenIn(mark, { lifeMark, shardIndex });
  if (seen === undefined) return true;
  const isKnown = seen.lifeMark === lifeMark || isOfNoLife(seen.lifeMark, shardIndex);
  return isKnown && seen.index <= books.appliedIndex;
}
