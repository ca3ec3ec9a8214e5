import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import type { ExpiryView } from "../leaderless/expiry-view.ts";
import { levelTooHigh, tooFewReachable, unansweredRead } from "../leaderless/faults.ts";
import type { LeaderlessMessage, ReadReply, WriteAck } from "../leaderless/messages.ts";
import { PendingReads } from "../leaderless/reads/pending-reads.ts";
import { ReadFanOut } from "../leaderless/reads/read-fan-out.ts";
import { repair } from "../leaderless/reads/read-repair.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { compareRecords } from "../leaderless/record.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { sessionBehind } from "../leaderless/session-keys.ts";
import { stampedRules } from "../leaderless/stamped-rules.ts";
import { holdersOf, isBehind, newestOf, PendingRead, type ReadFinish } from "./pending-read.ts";
import type { PlantedBugs } from "./planted-bugs.ts";
import { shownInSession } from "./session-stamps.ts";
import { TUNABLE_LEVELS, type TunableSettings } from "./settings.ts";
import { WriteBacks } from "./write-backs.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * Reads of a tunable keyspace: ask the replicas, answer as soon as the level's count is in, and
 * bring replicas that answered with something older up to date, off the critical path.
 *
 * `strong` is the read of Attiya, Bar-Noy and Dolev (1995): the newest version of a majority is
 * written back to a majority before it is answered, unless a majority holds it already. Without
 * the write-back two reads could see new, then old, while a write is half done.
 */
export class ReadFlow {
  readonly #context: CoordinatorContext;
  readonly #settings: TunableSettings;
  readonly #nextRoundId: () => number;
  readonly #planted: PlantedBugs;
  readonly #demands: Demands;
  readonly #expiries: ExpiryView;
  readonly #fanOut: ReadFanOut<PendingRead>;
  readonly #pending = new PendingReads<PendingRead>();
  readonly #writeBacks: WriteBacks;

  constructor(
    context: CoordinatorContext,
    settings: TunableSettings,
    nextRoundId: () => number,
    demands: Demands,
    planted: PlantedBugs,
    expiries: ExpiryView,
  ) {
    this.#demands = demands;
    this.#context = context;
    this.#planted = planted;
    this.#expiries = expiries;
    this.#settings = settings;
    this.#fanOut = new ReadFanOut(context, settings, stampedRules, planted);
    this.#writeBacks = new WriteBacks(context, demands, nextRoundId);
    this.#nextRoundId = nextRoundId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#pending.sweepAtMs;
  }

  start(
    request: Request,
    read: { readonly key: Uint8Array; readonly shardIndex: number; readonly level: Level },
    timing: { readonly nowMs: number; readonly deadlineMs: number },
    finish: ReadFinish,
    effects: Fx,
  ): void {
    const placement = this.#context.placement(read.shardIndex);
    const answers = new ReplicaAnswers(placement);
    const demand = this.#demands.of(read.level, read.shardIndex);
    if (demand === undefined) {
      const { level, shardIndex } = read;
      finish.failed(levelTooHigh(level, shardIndex, this.#demands, TUNABLE_LEVELS), effects);
      return;
    }
    const able = ableReplicas(this.#context, answers, read.shardIndex);
    if (!isMetBy(demand, able) && !(this.#mayLower(read.level) && able !== 0)) {
      const nodes = answers.nodesOf(able);
      finish.failed(tooFewReachable(demand, placement.replicas, nodes), effects);
      return;
    }
    const pending = new PendingRead(
      {
        request,
        key: read.key,
        shardIndex: read.shardIndex,
        demand: this.#planted.oneAnswerLess === true ? oneLess(demand) : demand,
        answers,
        roundId: this.#nextRoundId(),
        nowMs: timing.nowMs,
        deadlineMs: timing.deadlineMs,
      },
      read.level,
      finish,
    );
    this.#pending.add(pending);
    this.#fanOut.begin(pending, able, effects);
  }

  onReply(from: Sender, reply: ReadReply, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.ofRound(reply.requestId);
    if (pending === undefined) return false;
    const bit = this.#fanOut.onReply(pending, from, reply, nowMs);
    if (bit === 0) return true;
    if (pending.answered) {
      // What a late digest says beyond what was found is left to anti-entropy.
      const isKnown = this.#fanOut.settle(pending, pending.newest) === 0;
      const index = pending.answers.placement.replicas.indexOf(from.node);
      if (isKnown) this.#repairLate(pending, pending.records[index], bit, effects);
      if (pending.answers.complete) this.#forget(pending);
    } else if (pending.writeBack === undefined) this.#evaluate(pending, nowMs, effects);
    return true;
  }

  onAck(from: Sender, ack: WriteAck, requestId: number, nowMs: number, effects: Fx): boolean {
    const pending = this.#writeBacks.ofRound(requestId);
    if (pending?.writeBack === undefined) return false;
    const bit = this.#writeBacks.onAck(pending, from, ack);
    if (bit === 0) return true;
    if (this.#isTooOld(pending, nowMs)) {
      this.#startAgain(pending, nowMs, effects);
      return true;
    }
    pending.writeBack.holders |= bit;
    if (this.#writeBacks.isWritten(pending, pending.writeBack.holders)) {
      this.#answer(pending, nowMs, true, effects);
    }
    return true;
  }

  onDeadline(request: Request, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.ofRequest(request);
    if (pending === undefined) return false;
    this.#conclude(pending, nowMs, effects);
    return true;
  }

  onAborted(request: Request, effects: Fx): boolean {
    const pending = this.#pending.ofRequest(request);
    if (pending === undefined) return false;
    this.#forget(pending);
    pending.finish.failed(new CapstanError("ABORTED", "the read was aborted"), effects);
    return true;
  }

  onIdentity(peer: NodeId): void {
    this.#fanOut.onIdentity(peer);
    for (const pending of this.#pending.all()) {
      if (pending.answered) continue;
      const bit = pending.answers.void(peer);
      if (pending.writeBack !== undefined) pending.writeBack.holders &= ~bit;
    }
  }

  /** Asks further replicas for reads that wait, and forgets those whose late answers are overdue. */
  sweep(nowMs: number, effects: Fx): void {
    this.#pending.sweep(nowMs, (pending) => {
      this.#fanOut.widen(pending, effects);
      return pending.answers.isEverybodyAsked;
    });
  }

  /** Asks further replicas for reads whose answers do not come in their usual time. */
  hedge(nowMs: number, effects: Fx): void {
    this.#fanOut.hedge(nowMs, effects);
  }

  /** Others hold the shard now: what is not answered is asked of them. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of this.#pending.all()) {
      if (pending.shardIndex !== shardIndex) continue;
      if (pending.answered) this.#forget(pending);
      else this.#startAgain(pending, nowMs, effects);
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#fanOut.describe();
  }

  #evaluate(pending: PendingRead, nowMs: number, effects: Fx): void {
    if (!this.#fanOut.isMet(pending)) {
      this.#goOn(pending, nowMs, effects);
      return;
    }
    if (pending.digests !== 0) {
      const open = this.#fanOut.settle(pending, newestOf(pending));
      if (open !== 0) {
        this.#fanOut.ask(pending, open, effects);
        return;
      }
    }
    if (!this.#choose(pending)) {
      this.#goOn(pending, nowMs, effects);
      return;
    }
    const { newest } = pending;
    const writesBack =
      pending.level === "strong" && this.#planted.strongReadDoesNotWriteBack !== true;
    if (writesBack && newest !== undefined) {
      if (this.#isTooOld(pending, nowMs)) {
        this.#startAgain(pending, nowMs, effects);
        return;
      }
      const holders = holdersOf(pending, newest);
      if (!this.#writeBacks.isWritten(pending, holders)) {
        this.#writeBacks.begin(pending, newest, holders, effects);
        return;
      }
    }
    this.#answer(pending, nowMs, true, effects);
  }

  /** Once all who were asked have answered, others are; with nobody left it is over. */
  #goOn(pending: PendingRead, nowMs: number, effects: Fx): void {
    if (pending.answers.complete && !this.#fanOut.widen(pending, effects)) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  /** False where the session of the read has seen more than the answers have. */
  #choose(pending: PendingRead): boolean {
    const { operation } = pending.request;
    const newest = this.#expiries.at(newestOf(pending, this.#planted.stalestAnswers === true));
    const ignores = this.#planted.sessionIgnored === true || operation.type !== "get";
    const shown = ignores ? { record: newest } : shownInSession(operation, newest);
    pending.newest = shown?.record;
    return shown !== undefined;
  }

  /**
   * A replica that came back empty may have learned from the others already what they held: what
   * its old self has said is no copy any more, though this node may not have heard of the new one.
   */
  #isTooOld(pending: PendingRead, nowMs: number): boolean {
    return pending.demand.count > 1 && nowMs - pending.startedAtMs > this.#settings.rebuildDelayMs;
  }

  #startAgain(pending: PendingRead, nowMs: number, effects: Fx): void {
    this.#forget(pending);
    const timing = { nowMs, deadlineMs: pending.endAtMs };
    this.start(pending.request, pending, timing, pending.finish, effects);
  }

  #conclude(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers } = pending;
    // There is no time left to ask for what a digest stands for.
    this.#fanOut.settle(pending, newestOf(pending));
    const isShown = this.#choose(pending);
    if (isShown && answers.counted !== 0 && this.#mayLower(pending.level)) {
      this.#answer(pending, nowMs, false, effects);
      return;
    }
    this.#forget(pending);
    if (!isShown && (isMetBy(pending.demand, answers.counted) || this.#mayLower(pending.level))) {
      const heard = answers.nodesOf(answers.counted);
      pending.finish.failed(sessionBehind(pending.key, pending.level, heard), effects);
      return;
    }
    pending.finish.failed(unansweredRead(pending.demand, answers), effects);
  }

  #answer(pending: PendingRead, nowMs: number, met: boolean, effects: Fx): void {
    const { answers, newest, request } = pending;
    this.#fanOut.settle(pending, newest);
    const stale = newest === undefined ? 0 : answers.answered & ~holdersOf(pending, newest, true);
    const holders = newest === undefined ? answers.counted : holdersOf(pending, newest);
    const written = pending.writeBack?.holders ?? 0;
    const receipt = receiptOf({
      asked: pending.level,
      counted: countOf(answers.counted | written),
      durable: countOf(holders | written),
      total: answers.total,
      met,
      pendingSync: stale !== 0,
      repaired: countOf(stale),
      epoch: answers.placement.epoch,
      durationMs: nowMs - request.startedAtMs,
      side: "Read",
    });
    this.#pending.answered(pending, answers.complete);
    this.#writeBacks.end(pending);
    pending.finish.found(newest, receipt, effects);
    // A write-back has gone to all of them already.
    if (pending.writeBack === undefined) repair(pending, newest, stale, effects);
  }

  /** An answer that came after the client's: mends whichever side is behind. */
  #repairLate(
    pending: PendingRead,
    record: Uint8Array | undefined,
    bit: ReplicaMask,
    effects: Fx,
  ): void {
    const { newest, answers } = pending;
    if (newest !== undefined && isBehind(record, newest)) {
      repair(pending, newest, bit, effects);
    } else if (
      record !== undefined &&
      (newest === undefined || compareRecords(record, newest) > 0)
    ) {
      pending.newest = record;
      repair(pending, record, answers.answered & ~bit, effects);
    }
  }

  #forget(pending: PendingRead): void {
    this.#pending.forget(pending);
    this.#writeBacks.end(pending);
  }

  #mayLower(level: Level): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }
}
