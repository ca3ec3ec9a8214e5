import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import type { ReadResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demand, type Demands, isMetBy, mayLower } from "../leaderless/demand.ts";
import { type DigestedRead, Digests } from "../leaderless/digests.ts";
import type { ExpiryView } from "../leaderless/expiry-view.ts";
import { levelTooHigh, tooFewReachable, unansweredRead } from "../leaderless/faults.ts";
import { type HedgedRead, Hedges } from "../leaderless/hedges.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import type { CopyMessage, ReadReply } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { keyRecord } from "../leaderless/record.ts";
import { mergedOf, type RecordRules } from "../leaderless/record-rules.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { sessionBehind } from "../leaderless/session-keys.ts";
import { keyTextOf, noCopyReachable } from "./faults.ts";
import type { DynamoMessage } from "./messages.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import type { RecordReader } from "./read-result.ts";
import { hasAllSeen, markOfRecord } from "./session-contexts.ts";
import { DYNAMO_LEVELS, type DynamoSettings } from "./settings.ts";
import { StandIns } from "./stand-ins.ts";

/** Part of its time after which a read asks those whom it did not ask at first. */
const WIDEN_AFTER_PART = 0.5;

interface PendingRead extends HedgedRead, DigestedRead {
  readonly request: Request;
  readonly demand: Demand;
  readonly answers: ReplicaAnswers;
  readonly standIns: ReplicaAnswers;
  /** Per replica: what it answered. */
  readonly records: (Uint8Array | undefined)[];
  readonly roundId: number;
  readonly startedAtMs: number;
  readonly widenAtMs: number;
  /** When late answers are not waited for any more. */
  readonly endAtMs: number;
  /** All answers as one; whoever they are from, nothing that is known is left out. */
  merged: Uint8Array | undefined;
  /** Answered; late answers still come, for read repair. */
  answered: boolean;
  hedgeAtMs: number;
  hedgedAtMs: number;
  hedged: ReplicaMask;
  digests: ReplicaMask;
  digestBytes: number[] | undefined;
  fullAsked: ReplicaMask;
}

type Fx = Effects<DynamoMessage>;

/**
 * Reads of a dynamo keyspace (SOSP 2007, §4.5): ask the replicas, merge what they hold, answer when
 * as many have answered as the level needs, and bring those that lack something up to date, off the
 * critical path. Repair is a merge at the replica: a version that it has learned of meanwhile stays.
 *
 * Stand-ins are asked where replicas cannot be reached. They show what they hold, and never count;
 * that they hold nothing says nothing.
 */
export class ReadFlow {
  readonly #context: CoordinatorContext;
  readonly #settings: DynamoSettings;
  readonly #rules: RecordRules;
  readonly #reader: RecordReader;
  readonly #expiries: ExpiryView;
  readonly #nextRoundId: () => number;
  readonly #demands: Demands;
  readonly #planted: PlantedDynamoBugs;
  readonly #standIns = new StandIns();
  readonly #hedges: Hedges<PendingRead>;
  readonly #digests: Digests;
  readonly #pending = new IdTable<PendingRead>();
  readonly #unanswered = new IdTable<PendingRead>();
  #sweepAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: {
    readonly context: CoordinatorContext;
    readonly settings: DynamoSettings;
    readonly rules: RecordRules;
    readonly reader: RecordReader;
    readonly expiries: ExpiryView;
    readonly nextRoundId: () => number;
    readonly demands: Demands;
    readonly planted: PlantedDynamoBugs;
  }) {
    this.#context = parts.context;
    this.#settings = parts.settings;
    this.#planted = parts.planted;
    this.#hedges = new Hedges(parts.context, parts.settings.hedge);
    this.#digests = new Digests(parts.rules, parts.planted.digestMismatchIgnored);
    this.#rules = parts.rules;
    this.#reader = parts.reader;
    this.#expiries = parts.expiries;
    this.#nextRoundId = parts.nextRoundId;
    this.#demands = parts.demands;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const { level, shardIndex, deadlineMs } = request.operation;
    const placement = this.#context.placement(shardIndex);
    const answers = new ReplicaAnswers(placement);
    const demand = this.#demands.of(level, shardIndex);
    if (demand === undefined) {
      effects.refuse(request, levelTooHigh(level, shardIndex, this.#demands, DYNAMO_LEVELS));
      return;
    }
    const able = ableReplicas(this.#context, answers, shardIndex);
    if (!isMetBy(demand, able) && !this.#mayLower(level)) {
      const nodes = answers.nodesOf(able);
      effects.refuse(request, tooFewReachable(demand, placement.replicas, nodes));
      return;
    }
    const endAtMs = deadlineMs ?? nowMs + deadlineOfLevel(level, this.#settings.deadlinesMs);
    const pending: PendingRead = {
      request,
      demand,
      answers,
      standIns: this.#standIns.answersOf(placement),
      records: new Array(answers.total).fill(undefined),
      roundId: this.#nextRoundId(),
      startedAtMs: nowMs,
      widenAtMs: nowMs + (endAtMs - nowMs) * WIDEN_AFTER_PART,
      endAtMs,
      merged: undefined,
      answered: false,
      hedgeAtMs: Number.POSITIVE_INFINITY,
      hedgedAtMs: 0,
      hedged: 0,
      digests: 0,
      digestBytes: undefined,
      fullAsked: 0,
    };
    this.#pending.set(pending.roundId, pending);
    this.#unanswered.set(request.id, pending);
    this.#sweepAt(pending.widenAtMs);
    this.#askFirst(pending, this.#hedges.first(pending, able, nowMs), effects);
    this.#hedges.watch(pending, able, endAtMs, effects);
    if (!isMetBy(demand, able)) this.#widen(pending, effects);
    // Nobody at all can be asked.
    if (answers.asked === 0 && pending.standIns.asked === 0) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  onReply(from: Sender, reply: ReadReply, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.get(reply.requestId);
    if (pending === undefined) return false;
    const { answers, standIns } = pending;
    const index = answers.placement.replicas.indexOf(from.node);
    if (this.#digests.isOver(pending, index, reply)) return true;
    const bit = answers.take(from.node, reply.serving);
    if (bit === 0 && standIns.take(from.node, true) === 0) return true;
    if (bit !== 0) this.#hedges.onReply(pending, from.node, bit, reply.serving, nowMs);
    if (bit !== 0) this.#digests.note(pending, index, reply);
    if (bit !== 0) pending.records[index] = reply.record;
    const before = pending.merged;
    if (reply.record !== undefined && reply.fullBytes === undefined) {
      pending.merged = mergedOf(this.#rules, before, reply.record);
    }
    if (pending.answered) {
      // What a late digest says beyond what was found is left to anti-entropy.
      const isKnown = this.#settle(pending, pending.merged) === 0;
      if (isKnown) this.#repairLate(pending, before, bit, effects);
    } else this.#evaluate(pending, nowMs, effects);
    if (pending.answered && answers.complete && standIns.complete) this.#forget(pending);
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
    effects.refuse(request, new CapstanError("ABORTED", "the read was aborted"));
    return true;
  }

  onIdentity(peer: NodeId): void {
    this.#hedges.times.forget(peer);
    for (const pending of this.#pending.values()) {
      if (!pending.answered) pending.answers.void(peer);
    }
  }

  sweep(nowMs: number, effects: Fx): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const pending of [...this.#pending.values()]) {
      if (pending.answered) {
        if (nowMs >= pending.endAtMs) this.#forget(pending);
        else this.#sweepAt(pending.endAtMs);
      } else if (nowMs >= pending.widenAtMs) {
        this.#widen(pending, effects);
        // Whom it has not asked by then could not be reached, and may be before it ends.
        if (!this.#isEverybodyAsked(pending)) this.#sweepAt(nowMs);
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
    this.#ask(pending, mask & ~full, effects, pending.answers, digestAbove);
  }

  #ask(
    pending: PendingRead,
    mask: ReplicaMask,
    effects: Fx,
    among = pending.answers,
    digestAbove?: number,
  ): void {
    const { roundId, request } = pending;
    const { key, shardIndex } = request.operation;
    among.asked |= mask;
    const message = atEpoch<CopyMessage>(pending.answers.placement, {
      type: "read",
      requestId: roundId,
      stampOnly: false,
      digestAbove,
      key,
    });
    for (const node of among.nodesOf(mask)) effects.send(node, "replica", shardIndex, message);
  }

  /** The replicas that were not asked, and those who stand in. False if there are none. */
  #widen(pending: PendingRead, effects: Fx): boolean {
    const { answers, standIns } = pending;
    const { isReachable } = this.#context;
    const replicas = answers.reachable(isReachable) & ~answers.asked;
    const others = this.#prefersAvailability
      ? standIns.reachable(isReachable) & ~standIns.asked
      : 0;
    if (replicas !== 0) this.#ask(pending, replicas, effects);
    if (others !== 0) this.#ask(pending, others, effects, standIns);
    return (replicas | others) !== 0;
  }

  /** The answers have all that the session of the read has seen. */
  #hasAllSeen({ request, merged, answers }: PendingRead): boolean {
    if (this.#planted.sessionIgnored === true) return true;
    const { key, options } = request.operation;
    return hasAllSeen(key, options?.session, merged, answers.counted !== 0);
  }

  #evaluate(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers, standIns } = pending;
    const isMet = this.#isMet(pending);
    const open = isMet ? this.#settle(pending, pending.merged) : 0;
    if (open !== 0) {
      this.#ask(pending, open, effects);
      return;
    }
    if (isMet && this.#hasAllSeen(pending)) {
      this.#answer(pending, nowMs, true, effects);
    } else if (answers.complete && standIns.complete && !this.#widen(pending, effects)) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  #conclude(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers, standIns, request, merged } = pending;
    // There is no time left to ask for what a digest stands for.
    this.#settle(pending, merged);
    // That nothing was found is only true in the mouth of a replica.
    const isKnown = answers.counted !== 0 || merged !== undefined;
    const { key, level } = request.operation;
    const isShown = this.#hasAllSeen(pending);
    if (isShown && isKnown && this.#mayLower(level)) {
      this.#answer(pending, nowMs, false, effects);
      return;
    }
    this.#forget(pending);
    if (
      !isShown &&
      isKnown &&
      (isMetBy(pending.demand, answers.counted) || this.#mayLower(level))
    ) {
      const nodes = [...answers.nodesOf(answers.answered), ...standIns.nodesOf(standIns.answered)];
      effects.refuse(request, sessionBehind(key, level, nodes));
      return;
    }
    if (!this.#mayLower(level)) {
      effects.refuse(request, unansweredRead(pending.demand, answers));
      return;
    }
    const heard = [...answers.nodesOf(answers.answered), ...standIns.nodesOf(standIns.answered)];
    const { replicas } = answers.placement;
    effects.refuse(request, noCopyReachable(keyTextOf(key), replicas, heard));
  }

  #answer(pending: PendingRead, nowMs: number, met: boolean, effects: Fx): void {
    pending.merged = this.#expiries.at(pending.merged);
    const { answers, standIns, merged, request } = pending;
    const { operation } = request;
    const stale = merged === undefined ? 0 : answers.answered & ~this.#holdersOf(pending, merged);
    const receipt = receiptOf({
      asked: operation.level,
      counted: countOf(answers.counted),
      durable: countOf(answers.counted & ~stale),
      standIns: countOf(standIns.answered),
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
    this.#reply(pending, receipt, effects);
    this.#repair(pending, stale, effects);
    if (answers.complete && standIns.complete) this.#forget(pending);
    else this.#sweepAt(pending.endAtMs);
  }

  #reply({ request, merged }: PendingRead, receipt: Receipt, effects: Fx): void {
    const { key, options } = request.operation;
    let result: ReadResult;
    try {
      result = this.#reader.resultOf(key, merged, receipt);
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      effects.refuse(request, error);
      return;
    }
    const seen = this.#planted.sessionForgetsReads === true ? undefined : merged;
    const isInSession = options?.session !== undefined;
    effects.reply(request, isInSession ? { ...result, session: markOfRecord(key, seen) } : result);
  }

  /** An answer that came after the client's: mends whichever side is behind. */
  #repairLate(
    pending: PendingRead,
    before: Uint8Array | undefined,
    bit: ReplicaMask,
    effects: Fx,
  ): void {
    const { merged, answers } = pending;
    if (merged === undefined) return;
    const behind = answers.answered & ~this.#holdersOf(pending, merged);
    // Where it has brought nothing new the others have been sent the same already.
    this.#repair(pending, merged === before ? behind & bit : behind, effects);
  }

  #repair(pending: PendingRead, mask: ReplicaMask, effects: Fx): void {
    if (mask === 0 || pending.merged === undefined) return;
    const { key, shardIndex } = pending.request.operation;
    const message = atEpoch<CopyMessage>(pending.answers.placement, {
      type: "write",
      requestId: 0,
      kind: "repair",
      proof: undefined,
      keyed: keyRecord(key, pending.merged),
    });
    for (const node of pending.answers.nodesOf(mask)) {
      effects.send(node, "replica", shardIndex, message, "bulk");
    }
  }

  /** Replicas whose answer says all that the merged record says. */
  #holdersOf({ records }: PendingRead, merged: Uint8Array): ReplicaMask {
    let holders = 0;
    for (let i = 0; i < records.length; i++) {
      const record = records[i];
      if (record === undefined) continue;
      if (record === merged || this.#rules.relation(record, merged) === "equal") holders |= 1 << i;
    }
    return holders;
  }

  /** Others hold the shard now: what is not answered is asked of them. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.request.operation.shardIndex !== shardIndex) continue;
      this.#forget(pending);
      if (!pending.answered) this.start(pending.request, nowMs, effects);
    }
  }

  #forget(pending: PendingRead): void {
    this.#pending.delete(pending.roundId);
    this.#unanswered.delete(pending.request.id);
  }

  #isEverybodyAsked({ answers, standIns }: PendingRead): boolean {
    if (!answers.isEverybodyAsked) return false;
    return !this.#prefersAvailability || standIns.isEverybodyAsked;
  }

  #sweepAt(dueMs: number): void {
    if (dueMs < this.#sweepAtMs) this.#sweepAtMs = dueMs;
  }

  #mayLower(level: Level): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }

  get #prefersAvailability(): boolean {
    return this.#settings.partitionPolicy === "prefer-availability";
  }
}
