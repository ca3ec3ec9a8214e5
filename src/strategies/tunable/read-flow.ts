import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import { Digests } from "../leaderless/digests.ts";
import type { ExpiryView } from "../leaderless/expiry-view.ts";
import { levelTooHigh, tooFewReachable, unansweredRead } from "../leaderless/faults.ts";
import { Hedges } from "../leaderless/hedges.ts";
import type {
  CopyMessage,
  LeaderlessMessage,
  ReadReply,
  WriteAck,
} from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { compareRecords, keyRecord } from "../leaderless/record.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { sessionBehind } from "../leaderless/session-keys.ts";
import { stampedRules } from "../leaderless/stamped-rules.ts";
import {
  holdersOf,
  isBehind,
  newestOf,
  type PendingRead,
  type ReadFinish,
  type WriteBack,
} from "./pending-read.ts";
import type { PlantedBugs } from "./planted-bugs.ts";
import { shownInSession } from "./session-stamps.ts";
import { TUNABLE_LEVELS, type TunableSettings } from "./settings.ts";

/** Part of its time after which a read that asked only as many as it needs asks the others. */
const WIDEN_AFTER_PART = 0.5;

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
  readonly #hedges: Hedges<PendingRead>;
  readonly #digests: Digests;
  readonly #pending = new IdTable<PendingRead>();
  readonly #writeBacks = new IdTable<PendingRead>();
  /** Those that are not answered, by the request's id. */
  readonly #unanswered = new IdTable<PendingRead>();
  #sweepAtMs = Number.POSITIVE_INFINITY;

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
    this.#hedges = new Hedges(context, settings.hedge);
    this.#digests = new Digests(stampedRules, planted.digestMismatchIgnored);
    this.#nextRoundId = nextRoundId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
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
    const pending: PendingRead = {
      request,
      key: read.key,
      shardIndex: read.shardIndex,
      level: read.level,
      demand: this.#planted.oneAnswerLess === true ? oneLess(demand) : demand,
      answers,
      records: new Array(answers.total).fill(undefined),
      roundId: this.#nextRoundId(),
      startedAtMs: timing.nowMs,
      widenAtMs: timing.nowMs + (timing.deadlineMs - timing.nowMs) * WIDEN_AFTER_PART,
      endAtMs: timing.deadlineMs,
      newest: undefined,
      writeBack: undefined,
      answered: false,
      hedgeAtMs: Number.POSITIVE_INFINITY,
      hedgedAtMs: 0,
      hedged: 0,
      digests: 0,
      digestBytes: undefined,
      fullAsked: 0,
      finish,
    };
    this.#pending.set(pending.roundId, pending);
    this.#unanswered.set(request.id, pending);
    this.#sweepAt(pending.widenAtMs);
    this.#askFirst(pending, this.#hedges.first(pending, able, timing.nowMs), effects);
    this.#hedges.watch(pending, able, timing.deadlineMs, effects);
  }

  onReply(from: Sender, reply: ReadReply, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.get(reply.requestId);
    if (pending === undefined) return false;
    const { answers } = pending;
    const index = answers.placement.replicas.indexOf(from.node);
    if (this.#digests.isOver(pending, index, reply)) return true;
    const bit = answers.take(from.node, reply.serving);
    if (bit === 0) return true;
    this.#digests.note(pending, index, reply);
    this.#hedges.onReply(pending, from.node, bit, reply.serving, nowMs);
    pending.records[index] = reply.record;
    if (pending.answered) {
      // What a late digest says beyond what was found is left to anti-entropy.
      const isKnown = this.#settle(pending, pending.newest) === 0;
      if (isKnown) this.#repairLate(pending, pending.records[index], bit, effects);
    } else if (pending.writeBack === undefined) this.#evaluate(pending, nowMs, effects);
    if (pending.answered && answers.complete) this.#forget(pending);
    return true;
  }

  onAck(from: Sender, ack: WriteAck, requestId: number, nowMs: number, effects: Fx): boolean {
    const pending = this.#writeBacks.get(requestId);
    if (pending?.writeBack === undefined) return false;
    const bit = pending.writeBack.acks.take(from.node, ack.serving);
    if (bit === 0 || !ack.serving) return true;
    if (this.#isTooOld(pending, nowMs)) {
      this.#startAgain(pending, nowMs, effects);
      return true;
    }
    pending.writeBack.holders |= bit;
    if (this.#isWritten(pending, pending.writeBack.holders)) {
      this.#answer(pending, nowMs, true, effects);
    }
    return true;
  }

  onDeadline(request: Request, nowMs: number, effects: Fx): boolean {
    const pending = this.#unanswered.get(request.id);
    if (pending === undefined) return false;
    this.#conclude(pending, nowMs, effects);
    return true;
  }

  onAborted(request: Request, effects: Fx): boolean {
    const pending = this.#unanswered.get(request.id);
    if (pending === undefined) return false;
    this.#forget(pending);
    pending.finish.failed(new CapstanError("ABORTED", "the read was aborted"), effects);
    return true;
  }

  onIdentity(peer: NodeId): void {
    this.#hedges.times.forget(peer);
    for (const pending of this.#pending.values()) {
      if (pending.answered) continue;
      const bit = pending.answers.void(peer);
      if (pending.writeBack !== undefined) pending.writeBack.holders &= ~bit;
    }
  }

  /** Asks further replicas for reads that wait, and forgets those whose late answers are overdue. */
  sweep(nowMs: number, effects: Fx): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending.values()) {
      if (pending.answered) {
        if (nowMs >= pending.endAtMs) this.#forget(pending);
        else this.#sweepAt(pending.endAtMs);
      } else if (nowMs >= pending.widenAtMs) {
        this.#widen(pending, effects);
        // Whom it has not asked by then could not be reached, and may be before it ends.
        if (!pending.answers.isEverybodyAsked) this.#sweepAt(nowMs);
      } else this.#sweepAt(pending.widenAtMs);
    }
  }

  /** Asks further replicas for reads whose answers do not come in their usual time. */
  hedge(nowMs: number, effects: Fx): void {
    this.#hedges.due(nowMs, (pending, more) => this.#ask(pending, more, effects), effects);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { hedges: this.#hedges.describe(), digests: this.#digests.describe() };
  }

  /** Replicas whose record has to be asked for, after their digest. */
  #settle(pending: PendingRead, newest: Uint8Array | undefined): ReplicaMask {
    return pending.digests === 0 ? 0 : this.#digests.settle(pending, newest);
  }

  #isMet({ demand, answers, hedged }: PendingRead): boolean {
    if (isMetBy(demand, answers.counted)) return true;
    if (this.#planted.hedgeCountsTwice !== true) return false;
    return countOf(answers.counted) + countOf(answers.counted & hedged) >= demand.count;
  }

  /** The record from one, this node's own if it can be; from the others its digest, if it is long. */
  #askFirst(pending: PendingRead, mask: ReplicaMask, effects: Fx): void {
    const { digestAbove } = this.#settings;
    const own = pending.answers.bitOf(this.#context.self.node) & mask;
    const full = own !== 0 ? own : mask & -mask;
    if (digestAbove === undefined || full === mask) {
      this.#ask(pending, mask, effects);
      return;
    }
    this.#ask(pending, full, effects);
    this.#ask(pending, mask & ~full, effects, digestAbove);
  }

  #ask(pending: PendingRead, mask: ReplicaMask, effects: Fx, digestAbove?: number): void {
    const { answers, key, roundId, shardIndex } = pending;
    answers.asked |= mask;
    const message = atEpoch<CopyMessage>(answers.placement, {
      type: "read",
      requestId: roundId,
      stampOnly: false,
      digestAbove,
      key,
    });
    for (const node of answers.nodesOf(mask)) effects.send(node, "replica", shardIndex, message);
  }

  #widen(pending: PendingRead, effects: Fx): boolean {
    const { answers } = pending;
    const more = answers.reachable(this.#context.isReachable) & ~answers.asked;
    if (more !== 0) this.#ask(pending, more, effects);
    return more !== 0;
  }

  #evaluate(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers } = pending;
    if (!this.#isMet(pending)) {
      if (answers.complete && !this.#widen(pending, effects)) {
        this.#conclude(pending, nowMs, effects);
      }
      return;
    }
    if (pending.digests !== 0) {
      const open = this.#settle(pending, newestOf(pending));
      if (open !== 0) {
        this.#ask(pending, open, effects);
        return;
      }
    }
    if (!this.#choose(pending)) {
      if (answers.complete && !this.#widen(pending, effects)) {
        this.#conclude(pending, nowMs, effects);
      }
      return;
    }
    const writesBack =
      pending.level === "strong" && this.#planted.strongReadDoesNotWriteBack !== true;
    if (writesBack && pending.newest !== undefined) {
      if (this.#isTooOld(pending, nowMs)) {
        this.#startAgain(pending, nowMs, effects);
        return;
      }
      const holders = holdersOf(pending, pending.newest);
      if (!this.#isWritten(pending, holders)) {
        this.#beginWriteBack(pending, holders, effects);
        return;
      }
    }
    this.#answer(pending, nowMs, true, effects);
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

  #beginWriteBack(pending: PendingRead, holders: ReplicaMask, effects: Fx): void {
    const acks = new ReplicaAnswers(pending.answers.placement);
    acks.asked = acks.reachable(this.#context.isReachable) & ~holders;
    const writeBack: WriteBack = { roundId: this.#nextRoundId(), acks, holders };
    pending.writeBack = writeBack;
    this.#writeBacks.set(writeBack.roundId, pending);
    this.#sendNewest(pending, acks.asked, "write-back", writeBack.roundId, effects);
  }

  #conclude(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers } = pending;
    // There is no time left to ask for what a digest stands for.
    this.#settle(pending, newestOf(pending));
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
    this.#settle(pending, newest);
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
    pending.answered = true;
    this.#unanswered.delete(request.id);
    if (pending.writeBack !== undefined) this.#writeBacks.delete(pending.writeBack.roundId);
    pending.finish.found(newest, receipt, effects);
    // A write-back has gone to all of them already.
    if (stale !== 0 && pending.writeBack === undefined) {
      this.#sendNewest(pending, stale, "repair", 0, effects);
    }
    if (answers.complete) this.#forget(pending);
    else this.#sweepAt(pending.endAtMs);
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
      this.#sendNewest(pending, bit, "repair", 0, effects);
    } else if (
      record !== undefined &&
      (newest === undefined || compareRecords(record, newest) > 0)
    ) {
      pending.newest = record;
      this.#sendNewest(pending, answers.answered & ~bit, "repair", 0, effects);
    }
  }

  #sendNewest(
    pending: PendingRead,
    mask: ReplicaMask,
    kind: "repair" | "write-back",
    requestId: number,
    effects: Fx,
  ): void {
    if (mask === 0 || pending.newest === undefined) return;
    const keyed = keyRecord(pending.key, pending.newest);
    const message = atEpoch<CopyMessage>(pending.answers.placement, {
      type: "write",
      requestId,
      kind,
      proof: undefined,
      keyed,
    });
    const { shardIndex } = pending;
    const lane = kind === "repair" ? "bulk" : "log";
    for (const node of pending.answers.nodesOf(mask)) {
      effects.send(node, "replica", shardIndex, message, lane);
    }
  }

  /** Others hold the shard now: what is not answered is asked of them. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.shardIndex !== shardIndex) continue;
      if (pending.answered) this.#forget(pending);
      else this.#startAgain(pending, nowMs, effects);
    }
  }

  /** These are as many as a strong write needs: every later read will see it, or something newer. */
  #isWritten({ shardIndex }: PendingRead, holders: ReplicaMask): boolean {
    const demand = this.#demands.of("strong", shardIndex, "write");
    return demand !== undefined && isMetBy(demand, holders);
  }

  #forget(pending: PendingRead): void {
    this.#pending.delete(pending.roundId);
    this.#unanswered.delete(pending.request.id);
    if (pending.writeBack !== undefined) this.#writeBacks.delete(pending.writeBack.roundId);
  }

  #sweepAt(dueMs: number): void {
    if (dueMs < this.#sweepAtMs) this.#sweepAtMs = dueMs;
  }

  #mayLower(level: Level): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }
}
