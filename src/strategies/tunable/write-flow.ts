import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { compareStamps } from "../../core/model/stamp.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import { type Demands, isMetBy } from "../leaderless/demand.ts";
import { tooFewReachable } from "../leaderless/faults.ts";
import type { LeaderlessMessage, ReadReply, WriteAck } from "../leaderless/messages.ts";
import { stampOf } from "../leaderless/record.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { reusedId, superseded } from "./faults.ts";
import { LateCopies } from "./late-copies.ts";
import {
  isFirstTry,
  isMet,
  isOnlyOutdated,
  isRefusedByAll,
  operationIdOf,
  PendingWrite,
} from "./pending-write.ts";
import type { PlantedBugs } from "./planted-bugs.ts";
import type { TunableSettings } from "./settings.ts";
import { SlowWrites } from "./slow-writes.ts";
import { WriteAdmission } from "./write-admission.ts";
import { recordLoss } from "./write-facts.ts";
import { WritePace } from "./write-pace.ts";
import { abortedWrite, refusalByAll, unconfirmed, writeResultOf } from "./write-result.ts";
import { WriteRounds } from "./write-rounds.ts";
import { WriteStamps } from "./write-stamps.ts";
import { endOf, standingOf } from "./write-standing.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * Writes of a tunable keyspace. At all levels but `strong` the coordinator stamps the version with
 * its hybrid clock and sends it to every replica that can be reached; the level decides how many
 * have to hold it durably before the answer.
 *
 * `strong` is the write of Attiya, Bar-Noy and Dolev ("Sharing Memory Robustly in Message-Passing
 * Systems", 1995; for many writers: Lynch and Shvartsman 1997): learn the greatest stamp from a
 * majority, stamp above it, write to a majority.
 *
 * A write is admitted (`WriteAdmission`), stamped (`WriteStamps`) and sent, round by round
 * (`WriteRounds`); after each answer `standingOf` says where it is, and here is done what follows.
 * Every write ends once, in `#end`; copies that are on their way then are those of `LateCopies`.
 */
export class WriteFlow {
  readonly #context: CoordinatorContext;
  readonly #settings: TunableSettings;
  readonly #planted: PlantedBugs;
  readonly #demands: Demands;
  readonly #admission: WriteAdmission;
  readonly #rounds: WriteRounds;
  readonly #stamps: WriteStamps;
  readonly #pace = new WritePace();
  readonly #late: LateCopies;
  readonly #slow: SlowWrites;

  constructor(parts: {
    readonly context: CoordinatorContext;
    readonly settings: TunableSettings;
    readonly nextRoundId: () => number;
    readonly demands: Demands;
    readonly planted: PlantedBugs;
  }) {
    const { context, settings, planted } = parts;
    this.#context = context;
    this.#settings = settings;
    this.#planted = planted;
    this.#demands = parts.demands;
    this.#admission = new WriteAdmission(parts);
    this.#rounds = new WriteRounds(parts.nextRoundId);
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
    const answers = new ReplicaAnswers(this.#context.placement(operation.shardIndex));
    const reachable = answers.reachable(this.#context.isReachable);
    const pending = this.#admission.open(request, answers, reachable, wallMs);
    if (pending instanceof CapstanError) {
      effects.refuse(request, pending);
      return;
    }
    request.memo = pending;
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
    if (ack.verdict !== "newer") pending.take(ack.verdict, bit);
    else if (this.#planted.supersededIsHeld === true) pending.held |= bit;
    else {
      pending.take("newer", bit);
      this.#stamps.see(pending, ack.stamp, wallMs);
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
    const id = (): string => this.#idOf(pending);
    this.#fail(pending, abortedWrite(pending, id), nowMs, effects);
    return true;
  }

  onIdentity(peer: NodeId): void {
    if (this.#planted.oldSelfCounts === true) return;
    for (const pending of this.#rounds.pending()) pending.void(peer);
  }

  /** Sends slow writes again, and gives up on overdue acknowledgements; repair finds their copies. */
  sweep(nowMs: number, effects: Fx): void {
    for (const pending of this.#slow.takeDue(nowMs)) {
      const reachable = pending.answers.reachable(this.#context.isReachable);
      if (pending.phase === "write") pending.sentAgain = true;
      this.#rounds.repeat(pending, reachable, nowMs, effects);
    }
    this.#late.giveUp(nowMs, effects);
    this.#releaseHeld(nowMs, effects);
  }

  /** Others hold the shard now: what is not answered goes to them, the same version. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#rounds.pending()]) {
      const { operation } = pending.request;
      if (operation.shardIndex !== shardIndex || pending.paced) continue;
      const demand = this.#admission.demandOf(operation);
      if (demand === undefined) {
        this.#concludeBeyond(pending, nowMs, effects);
        continue;
      }
      pending.moveTo(this.#context.placement(shardIndex), demand);
      const reachable = pending.answers.reachable(this.#context.isReachable);
      this.#rounds.repeat(pending, reachable, nowMs, effects);
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
    const isSent = phase === "write";
    if (isSent && !answers.complete) return;
    if (isSent && !(isOnlyOutdated(pending) && isFirstTry(pending))) {
      this.#conclude(pending, nowMs, effects);
    } else this.#fail(pending, this.#admission.levelTooHigh(request.operation), nowMs, effects);
  }

  /** Whether every write that counts has been seen: what a read of that level has to have heard. */
  #hasLearned({ request, answers }: PendingWrite): boolean {
    const { level, shardIndex } = request.operation;
    const demand = this.#demands.of(level, shardIndex);
    return demand !== undefined && isMetBy(demand, answers.counted);
  }

  #learned(pending: PendingWrite, nowMs: number, wallMs: number, effects: Fx): void {
    const { fixedStamp, newest } = pending;
    if (fixedStamp !== undefined && compareStamps(newest, fixedStamp) > 0) {
      // An earlier try under this id may have been the one that was overtaken.
      this.#fail(pending, superseded(newest, "unknown", this.#idOf(pending)), nowMs, effects);
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
    switch (standingOf(pending, this.#countedTwice(pending))) {
      case "awaited":
        return;
      case "met":
        if (pending.paced) return;
        if (this.#pace.mayAnswer) this.#succeed(pending, nowMs, true, effects);
        else this.#pace.hold(pending);
        return;
      case "overtaken":
        this.#lose(pending, nowMs, effects);
        return;
      case "reused": {
        // Two values under one id: neither may be acknowledged as the write of this id.
        const isStoredNowhere = isRefusedByAll(pending) && !pending.sentAgain;
        this.#fail(pending, reusedId(this.#idOf(pending), isStoredNowhere), nowMs, effects);
        return;
      }
      case "outdated":
        // The map is on its way: then it is sent to those who hold the shard now.
        this.#concludeBeyond(pending, nowMs, effects);
        return;
      case "outrun": {
        const reachable = pending.answers.reachable(this.#context.isReachable);
        if (isMetBy(pending.demand, reachable)) {
          this.#write(pending, reachable, nowMs, wallMs, effects);
        } else this.#conclude(pending, nowMs, effects);
        return;
      }
      case "exhausted": {
        // There is time to be sent again: by then a replica that is being rebuilt may count.
        const { operation } = pending.request;
        const waits = this.#slow.has(pending) && !this.#admission.mayLower(operation);
        if (!waits || isRefusedByAll(pending)) this.#conclude(pending, nowMs, effects);
        return;
      }
    }
  }

  /** No further answer is awaited, or none will be: say what is known. */
  #conclude(pending: PendingWrite, nowMs: number, effects: Fx): void {
    const { answers, demand, request } = pending;
    switch (endOf(pending, this.#admission.mayLower(request.operation))) {
      case "unsent": {
        const nodes = answers.nodesOf(answers.counted);
        const { replicas } = answers.placement;
        this.#fail(pending, tooFewReachable(demand, replicas, nodes), nowMs, effects);
        return;
      }
      case "refused": {
        const id = (): string => this.#idOf(pending);
        this.#fail(pending, refusalByAll(pending, id), nowMs, effects);
        return;
      }
      case "lowered":
        this.#succeed(pending, nowMs, false, effects);
        return;
      case "overtaken":
        this.#lose(pending, nowMs, effects);
        return;
      case "unconfirmed": {
        const fault =
          this.#planted.sentIsNotApplied === true
            ? new CapstanError("UNAVAILABLE", "too few replicas confirmed it")
            : unconfirmed(pending, this.#idOf(pending));
        this.#fail(pending, fault, nowMs, effects);
        return;
      }
    }
  }

  #succeed(pending: PendingWrite, nowMs: number, met: boolean, effects: Fx): void {
    const version = versionTokenOf(pending.stamp);
    pending.version = version;
    this.#end(pending, nowMs, effects);
    // Those who were sent a copy have until `giveUp` to acknowledge it.
    if (pending.answers.complete) this.#late.hint(pending, effects);
    effects.reply(pending.request, writeResultOf(pending, version, met, nowMs));
  }

  /** It took effect, and a newer one that did not know of it is what readers find. */
  #lose(pending: PendingWrite, nowMs: number, effects: Fx): void {
    this.#end(pending, nowMs, effects);
    recordLoss(pending, effects);
    effects.refuse(pending.request, superseded(pending.newest, "applied"));
  }

  #fail(pending: PendingWrite, fault: CapstanError, nowMs: number, effects: Fx): void {
    this.#end(pending, nowMs, effects);
    effects.refuse(pending.request, fault);
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

  #countedTwice({ held, answers }: PendingWrite): number {
    return this.#planted.ownCopyCountsTwice === true
      ? countOf(held & answers.bitOf(this.#context.self.node))
      : 0;
  }

  #idOf(pending: PendingWrite): string {
    return operationIdOf(pending, this.#context.keyspaceHash);
  }
}
