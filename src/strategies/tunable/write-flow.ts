import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { encodeOperationId } from "../../core/model/operation-id.ts";
import { compareStamps } from "../../core/model/stamp.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import { levelTooHigh, tooFewReachable } from "../leaderless/faults.ts";
import type { LeaderlessMessage, ReadReply, WriteAck } from "../leaderless/messages.ts";
import { stampOf } from "../leaderless/record.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { reusedId, superseded } from "./faults.ts";
import { givenIn } from "./given-stamps.ts";
import { LateCopies } from "./late-copies.ts";
import {
  isBehindSeen,
  isFirstTry,
  isMet,
  isOnlyOutdated,
  isRefusedByAll,
  mayStampAgain,
  PendingWrite,
} from "./pending-write.ts";
import type { PlantedBugs } from "./planted-bugs.ts";
import { TUNABLE_LEVELS, type TunableSettings } from "./settings.ts";
import { SlowWrites } from "./slow-writes.ts";
import { recordLoss } from "./write-facts.ts";
import { WritePace } from "./write-pace.ts";
import { abortedWrite, refusalByAll, unconfirmed, writeResultOf } from "./write-result.ts";
import { WriteRounds } from "./write-rounds.ts";
import { WriteStamps } from "./write-stamps.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * Writes of a tunable keyspace. At all levels but `strong` the coordinator stamps the version with
 * its hybrid clock and sends it to every replica that can be reached; the level decides how many
 * have to hold it durably before the answer.
 *
 * `strong` is the write of Attiya, Bar-Noy and Dolev ("Sharing Memory Robustly in Message-Passing
 * Systems", 1995; for many writers: Lynch and Shvartsman 1997): learn the greatest stamp from a
 * majority, stamp above it, write to a majority.
 */
export class WriteFlow {
  readonly #context: CoordinatorContext;
  readonly #settings: TunableSettings;
  readonly #planted: PlantedBugs;
  readonly #demands: Demands;
  readonly #rounds: WriteRounds;
  readonly #stamps: WriteStamps;
  readonly #pace = new WritePace();
  readonly #late: LateCopies;
  readonly #slow: SlowWrites;

  constructor(
    context: CoordinatorContext,
    settings: TunableSettings,
    nextRoundId: () => number,
    demands: Demands,
    planted: PlantedBugs,
  ) {
    this.#demands = demands;
    this.#context = context;
    this.#planted = planted;
    this.#settings = settings;
    this.#rounds = new WriteRounds(nextRoundId);
    this.#stamps = new WriteStamps(context, planted);
    this.#late = new LateCopies(context.self.node, this.#pace);
    this.#slow = new SlowWrites(settings.rebuildDelayMs);
  }

  get size(): number {
    return this.#rounds.size + this.#pace.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return Math.min(this.#slow.dueAtMs, this.#pace.overdueAtMs);
  }

  start(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    const { operation } = request;
    const { level, shardIndex } = operation;
    const placement = this.#context.placement(shardIndex);
    const demand = this.#demands.of(level, shardIndex, "write");
    if (demand === undefined) {
      effects.refuse(
        request,
        levelTooHigh(level, shardIndex, this.#demands, TUNABLE_LEVELS, "write"),
      );
      return;
    }
    const given = givenIn(operation, this.#context, wallMs);
    if (given instanceof CapstanError) {
      effects.refuse(request, given);
      return;
    }
    const forgets = this.#planted.operationIdForgotten === true;
    const answers = new ReplicaAnswers(placement);
    const reachable = answers.reachable(this.#context.isReachable);
    const able = ableReplicas(this.#context, answers, shardIndex, reachable);
    if (!isMetBy(demand, able) && !(this.#mayLower(request) && able !== 0)) {
      const nodes = answers.nodesOf(able);
      effects.refuse(request, tooFewReachable(demand, placement.replicas, nodes));
      return;
    }
    const enough = this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
    const pending = new PendingWrite(
      request,
      enough,
      answers,
      forgets ? { ...given, fixedStamp: undefined } : given,
    );
    request.memo = pending;
    if (isBehindSeen(pending) && this.#context.clock.observe(given.seen, wallMs) === "observed") {
      effects.refuse(request, superseded(given.seen, "unknown", this.#idOf(pending)));
      return;
    }
    this.#slow.maybeAdd(pending, operation.deadlineMs ?? nowMs, nowMs);
    if (this.#stamps.mustLearn(pending, wallMs))
      this.#rounds.learn(pending, reachable, nowMs, effects);
    else this.#write(pending, reachable, nowMs, wallMs, effects);
  }

  /** `requestId`: of the ones that the acknowledgement is of. False: it is of none here. */
  onAck(
    from: Sender,
    ack: WriteAck,
    requestId: number,
    nowMs: number,
    wallMs: number,
    effects: Fx,
  ): boolean {
    const pending = this.#rounds.of(requestId);
    if (pending === undefined) return this.#onLateAck(from, ack, requestId, nowMs, effects);
    if (pending.phase !== "write") return false;
    // After a stall of this node: a replica that was emptied since may have learned from the
    // others already what they held before this copy, and its old self's does not count any more.
    const isTooOld =
      this.#planted.oldSelfCounts !== true &&
      pending.demand.count > 1 &&
      nowMs - pending.roundAtMs > this.#settings.rebuildDelayMs;
    const bit = pending.answers.take(from.node, ack.serving && !isTooOld);
    if (bit === 0) return true;
    switch (ack.verdict) {
      case "stored":
      case "equal":
        pending.held |= bit;
        pending.stored = true;
        break;
      case "newer":
        if (this.#planted.supersededIsHeld === true) {
          pending.held |= bit;
          break;
        }
        pending.newer |= bit;
        this.#stamps.see(pending, ack.stamp, wallMs);
        break;
      case "skewed":
        pending.skewed |= bit;
        break;
      case "reused":
        pending.reused |= bit;
        break;
    }
    this.#evaluate(pending, nowMs, wallMs, effects);
    return true;
  }

  /** An answer to the learning phase. */
  onStamp(from: Sender, reply: ReadReply, nowMs: number, wallMs: number, effects: Fx): boolean {
    const pending = this.#rounds.of(reply.requestId);
    if (pending === undefined || pending.phase !== "learn") return false;
    if (pending.answers.take(from.node, reply.serving) === 0) return true;
    if (reply.record !== undefined) this.#stamps.see(pending, stampOf(reply.record), wallMs);
    const { answers } = pending;
    if (this.#hasLearned(pending)) this.#learned(pending, nowMs, wallMs, effects);
    else if (answers.complete) this.#conclude(pending, nowMs, effects);
    return true;
  }

  onDeadline(request: Request, nowMs: number, effects: Fx): boolean {
    const pending = request.memo;
    if (!(pending instanceof PendingWrite) || pending.ended) return false;
    if (pending.paced && isMet(pending)) this.#succeed(pending, nowMs, true, effects);
    else this.#conclude(pending, nowMs, effects);
    return true;
  }

  onAborted(request: Request, nowMs: number, effects: Fx): boolean {
    const pending = request.memo;
    if (!(pending instanceof PendingWrite) || pending.ended) return false;
    if (pending.paced && isMet(pending)) {
      this.#succeed(pending, nowMs, true, effects);
      return true;
    }
    this.#end(pending, nowMs, effects);
    effects.refuse(
      request,
      abortedWrite(pending, () => this.#idOf(pending)),
    );
    return true;
  }

  /** What the old self of a replica held is void; that a copy was out there is not. */
  onIdentity(peer: NodeId): void {
    if (this.#planted.oldSelfCounts === true) return;
    for (const pending of this.#rounds.pending()) {
      const bit = pending.answers.void(peer);
      pending.held &= ~bit;
      pending.newer &= ~bit;
    }
  }

  /** Sends slow writes again, and gives up on overdue acknowledgements; repair finds their copies. */
  sweep(nowMs: number, effects: Fx): void {
    for (const pending of this.#slow.takeDue(nowMs)) {
      const reachable = pending.answers.reachable(this.#context.isReachable);
      if (pending.phase === "learn") this.#rounds.learn(pending, reachable, nowMs, effects);
      else {
        pending.sentAgain = true;
        this.#rounds.send(pending, reachable, nowMs, effects);
      }
    }
    this.#late.giveUp(nowMs, effects);
    this.#releaseHeld(nowMs, effects);
  }

  /** Others hold the shard now: what is not answered goes to them, the same version. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#rounds.pending()]) {
      const { level, shardIndex: own } = pending.request.operation;
      if (own !== shardIndex || pending.paced) continue;
      const demand = this.#demands.of(level, shardIndex, "write");
      if (demand === undefined) {
        this.#concludeBeyond(pending, nowMs, effects);
        continue;
      }
      pending.demand = this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
      pending.answers = new ReplicaAnswers(this.#context.placement(shardIndex));
      const wasUnseen = isOnlyOutdated(pending);
      pending.sentTo = 0;
      const reachable = pending.answers.reachable(this.#context.isReachable);
      if (pending.phase === "learn") this.#rounds.learn(pending, reachable, nowMs, effects);
      else {
        // What everybody refused unseen is no earlier try.
        if (!wasUnseen) pending.sentAgain = true;
        this.#rounds.send(pending, reachable, nowMs, effects);
      }
    }
  }

  /** A replica has refused this round, and nothing else of the write, for it knows a newer map. */
  onOutdated(from: Sender, roundId: number, nowMs: number, effects: Fx): void {
    const pending = this.#rounds.of(roundId);
    if (pending === undefined || pending.phase !== "write") return;
    pending.outdated |= pending.answers.take(from.node, false);
    this.#concludeBeyond(pending, nowMs, effects);
  }

  /** The id of a write under way, from its request alone. */
  operationIdOf(request: Request): string | undefined {
    const pending = request.memo;
    return pending instanceof PendingWrite && pending.phase === "write"
      ? this.#idOf(pending)
      : undefined;
  }

  /**
   * Those who hold the shard now can never meet the level. What was sent to those before may meet it
   * yet, under their map; once no answer is awaited there is nobody to send it to again.
   */
  #concludeBeyond(pending: PendingWrite, nowMs: number, effects: Fx): void {
    const { phase, answers, paced, request } = pending;
    const { level, shardIndex } = request.operation;
    if (paced || this.#demands.of(level, shardIndex, "write") !== undefined) return;
    if (phase === "write") {
      if (!answers.complete) return;
      if (!isOnlyOutdated(pending) || !isFirstTry(pending)) {
        this.#conclude(pending, nowMs, effects);
        return;
      }
    }
    this.#end(pending, nowMs, effects);
    effects.refuse(
      request,
      levelTooHigh(level, shardIndex, this.#demands, TUNABLE_LEVELS, "write"),
    );
  }

  /** Whether every write that counts has been seen: what a read of that level has to have heard. */
  #hasLearned({ request, answers }: PendingWrite): boolean {
    const { level, shardIndex } = request.operation;
    const demand = this.#demands.of(level, shardIndex);
    return demand !== undefined && isMetBy(demand, answers.counted);
  }

  #learned(pending: PendingWrite, nowMs: number, wallMs: number, effects: Fx): void {
    const { fixedStamp, newest, request } = pending;
    if (fixedStamp !== undefined && compareStamps(newest, fixedStamp) > 0) {
      // An earlier try under this id may have been the one that was overtaken.
      this.#end(pending, nowMs, effects);
      effects.refuse(request, superseded(pending.newest, "unknown", this.#idOf(pending)));
      return;
    }
    const { answers } = pending;
    const reachable = answers.reachable(this.#context.isReachable);
    // They were there to be learned from, and are gone: still nothing has been sent.
    if (!isMetBy(pending.demand, reachable)) this.#conclude(pending, nowMs, effects);
    else this.#write(pending, reachable, nowMs, wallMs, effects);
  }

  /** Stamps the write, and sends it. */
  #write(
    pending: PendingWrite,
    reachable: ReplicaMask,
    nowMs: number,
    wallMs: number,
    effects: Fx,
  ): void {
    this.#stamps.stamp(pending, wallMs);
    this.#rounds.send(pending, reachable, nowMs, effects);
  }

  #evaluate(pending: PendingWrite, nowMs: number, wallMs: number, effects: Fx): void {
    const { answers, held, newer } = pending;
    if (pending.reused !== 0) {
      // Two values under one id: neither may be acknowledged as the write of this id.
      this.#end(pending, nowMs, effects);
      effects.refuse(
        pending.request,
        reusedId(this.#idOf(pending), isRefusedByAll(pending) && !pending.sentAgain),
      );
      return;
    }
    const counted = (held | newer) & answers.counted;
    const twice =
      this.#planted.ownCopyCountsTwice === true
        ? countOf(held & answers.bitOf(this.#context.self.node))
        : 0;
    if (
      isMetBy(pending.demand, counted) ||
      (twice > 0 && countOf(counted) + twice >= pending.demand.count)
    ) {
      if (newer === 0) {
        if (pending.paced) return;
        if (this.#pace.mayAnswer) this.#succeed(pending, nowMs, true, effects);
        else this.#pace.hold(pending);
        return;
      }
      if (pending.stored) {
        this.#end(pending, nowMs, effects);
        recordLoss(pending, effects);
        effects.refuse(pending.request, superseded(pending.newest, "applied"));
        return;
      }
    }
    if (!answers.complete) return;
    if (pending.outdated !== 0) {
      // The map is on its way: then it is sent to those who hold the shard now.
      this.#concludeBeyond(pending, nowMs, effects);
      return;
    }
    if (mayStampAgain(pending)) {
      const reachable = answers.reachable(this.#context.isReachable);
      if (isMetBy(pending.demand, reachable)) {
        this.#write(pending, reachable, nowMs, wallMs, effects);
        return;
      }
    }
    // There is time to be sent again: by then a replica that is being rebuilt may count.
    const waits = this.#slow.has(pending) && !this.#mayLower(pending.request);
    if (!waits || isRefusedByAll(pending)) this.#conclude(pending, nowMs, effects);
  }

  /** No further answer is awaited, or none will be: say what is known. */
  #conclude(pending: PendingWrite, nowMs: number, effects: Fx): void {
    const { request, answers } = pending;
    if (pending.phase === "learn") {
      this.#end(pending, nowMs, effects);
      const nodes = answers.nodesOf(answers.counted);
      const { replicas } = answers.placement;
      effects.refuse(request, tooFewReachable(pending.demand, replicas, nodes));
      return;
    }
    if (isRefusedByAll(pending)) {
      this.#end(pending, nowMs, effects);
      effects.refuse(
        request,
        refusalByAll(pending, () => this.#idOf(pending)),
      );
      return;
    }
    const durable = pending.held & answers.counted;
    if (durable !== 0 && this.#mayLower(request)) {
      if (pending.newer === 0) this.#succeed(pending, nowMs, false, effects);
      else {
        this.#end(pending, nowMs, effects);
        recordLoss(pending, effects);
        effects.refuse(request, superseded(pending.newest, "applied"));
      }
      return;
    }
    this.#end(pending, nowMs, effects);
    if (this.#planted.sentIsNotApplied === true) {
      effects.refuse(request, new CapstanError("UNAVAILABLE", "too few replicas confirmed it"));
      return;
    }
    effects.refuse(request, unconfirmed(pending, this.#idOf(pending)));
  }

  #succeed(pending: PendingWrite, nowMs: number, met: boolean, effects: Fx): void {
    const version = versionTokenOf(pending.stamp);
    pending.version = version;
    this.#end(pending, nowMs, effects);
    // Those who were sent a copy have until `giveUp` to acknowledge it.
    if (pending.answers.complete) this.#late.hint(pending, effects);
    effects.reply(pending.request, writeResultOf(pending, version, met, nowMs));
  }

  #end(pending: PendingWrite, nowMs: number, effects: Fx): void {
    pending.ended = true;
    this.#rounds.end(pending);
    this.#slow.end(pending);
    this.#late.ended(pending, nowMs, effects);
  }

  /** An acknowledgement of a copy whose write was answered before. */
  #onLateAck(from: Sender, ack: WriteAck, requestId: number, nowMs: number, effects: Fx): boolean {
    if (!this.#late.onAck(from, ack, requestId, effects)) return false;
    this.#releaseHeld(nowMs, effects);
    return true;
  }

  #releaseHeld(nowMs: number, effects: Fx): void {
    for (let next = this.#pace.next(); next !== undefined; next = this.#pace.next()) {
      if (isMet(next)) this.#succeed(next, nowMs, true, effects);
      else {
        // A replica that had acknowledged it came back empty meanwhile.
        next.paced = false;
        this.#slow.goOn(next);
      }
    }
  }

  #mayLower(request: Request): boolean {
    return mayLower(this.#settings.partitionPolicy, request.operation.level);
  }

  #idOf(pending: PendingWrite): string {
    const { operationId, key } = pending.request.operation;
    if (operationId !== undefined) return operationId;
    const { keyspaceHash } = this.#context;
    const { stamp, expiresAtMs } = pending;
    return encodeOperationId({ keyspaceHash, stamp, key, expiresAtMs });
  }
}
