import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import type { ReadResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demands, isMetBy, mayLower } from "../leaderless/demand.ts";
import type { ExpiryView } from "../leaderless/expiry-view.ts";
import { levelTooHigh, tooFewReachable, unansweredRead } from "../leaderless/faults.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import type { ReadReply } from "../leaderless/messages.ts";
import { PendingReads } from "../leaderless/reads/pending-reads.ts";
import { ReadFanOut } from "../leaderless/reads/read-fan-out.ts";
import { repair } from "../leaderless/reads/read-repair.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { mergedOf, type RecordRules } from "../leaderless/record-rules.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import { sessionBehind } from "../leaderless/session-keys.ts";
import { keyTextOf, noCopyReachable } from "./faults.ts";
import type { DynamoMessage } from "./messages.ts";
import { PendingRead } from "./pending-read.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import type { RecordReader } from "./read-result.ts";
import { hasAllSeen, markOfRecord } from "./session-contexts.ts";
import { DYNAMO_LEVELS, type DynamoSettings } from "./settings.ts";
import { StandIns } from "./stand-ins.ts";

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
  readonly #fanOut: ReadFanOut<PendingRead>;
  readonly #pending = new PendingReads<PendingRead>();

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
    this.#fanOut = new ReadFanOut(parts.context, parts.settings, parts.rules, parts.planted);
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
    return this.#pending.sweepAtMs;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const { key, level, shardIndex, deadlineMs } = request.operation;
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
    const pending = new PendingRead(
      {
        request,
        key,
        shardIndex,
        demand,
        answers,
        roundId: this.#nextRoundId(),
        nowMs,
        deadlineMs: deadlineMs ?? nowMs + deadlineOfLevel(level, this.#settings.deadlinesMs),
      },
      this.#standIns.answersOf(placement),
    );
    this.#pending.add(pending);
    this.#fanOut.begin(pending, able, effects);
    if (!isMetBy(demand, able)) this.#widen(pending, effects);
    // Nobody at all can be asked.
    if (answers.asked === 0 && pending.standIns.asked === 0) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  onReply(from: Sender, reply: ReadReply, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.ofRound(reply.requestId);
    if (pending === undefined) return false;
    const bit = this.#fanOut.onReply(pending, from, reply, nowMs);
    if (bit === 0 && pending.standIns.take(from.node, true) === 0) return true;
    const before = pending.merged;
    if (reply.record !== undefined && reply.fullBytes === undefined) {
      pending.merged = mergedOf(this.#rules, before, reply.record);
    }
    if (pending.answered) {
      // What a late digest says beyond what was found is left to anti-entropy.
      const isKnown = this.#fanOut.settle(pending, pending.merged) === 0;
      if (isKnown) this.#repairLate(pending, before, bit, effects);
      if (pending.isAnsweredByAll) this.#pending.forget(pending);
    } else this.#evaluate(pending, nowMs, effects);
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
    this.#pending.forget(pending);
    effects.refuse(request, new CapstanError("ABORTED", "the read was aborted"));
    return true;
  }

  onIdentity(peer: NodeId): void {
    this.#fanOut.onIdentity(peer);
    for (const pending of this.#pending.all()) {
      if (!pending.answered) pending.answers.void(peer);
    }
  }

  /** Asks further replicas for reads that wait, and forgets those whose late answers are overdue. */
  sweep(nowMs: number, effects: Fx): void {
    this.#pending.sweep(nowMs, (pending) => {
      this.#widen(pending, effects);
      return this.#isEverybodyAsked(pending);
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
      this.#pending.forget(pending);
      if (!pending.answered) this.start(pending.request, nowMs, effects);
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#fanOut.describe();
  }

  /** The replicas that were not asked, and those who stand in. False if there are none. */
  #widen(pending: PendingRead, effects: Fx): boolean {
    const more = this.#fanOut.widen(pending, effects);
    if (!this.#prefersAvailability) return more;
    return this.#fanOut.widen(pending, effects, pending.standIns) || more;
  }

  #isEverybodyAsked({ answers, standIns }: PendingRead): boolean {
    if (!answers.isEverybodyAsked) return false;
    return !this.#prefersAvailability || standIns.isEverybodyAsked;
  }

  /** The answers have all that the session of the read has seen. */
  #hasAllSeen({ request, merged, answers }: PendingRead): boolean {
    if (this.#planted.sessionIgnored === true) return true;
    const { key, options } = request.operation;
    return hasAllSeen(key, options?.session, merged, answers.counted !== 0);
  }

  #evaluate(pending: PendingRead, nowMs: number, effects: Fx): void {
    const isMet = this.#fanOut.isMet(pending);
    const open = isMet ? this.#fanOut.settle(pending, pending.merged) : 0;
    if (open !== 0) {
      this.#fanOut.ask(pending, open, effects);
      return;
    }
    if (isMet && this.#hasAllSeen(pending)) {
      this.#answer(pending, nowMs, true, effects);
    } else if (pending.isAnsweredByAll && !this.#widen(pending, effects)) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  #conclude(pending: PendingRead, nowMs: number, effects: Fx): void {
    const { answers, request, merged } = pending;
    // There is no time left to ask for what a digest stands for.
    this.#fanOut.settle(pending, merged);
    // That nothing was found is only true in the mouth of a replica.
    const isKnown = answers.counted !== 0 || merged !== undefined;
    const { key, level } = request.operation;
    const isShown = this.#hasAllSeen(pending);
    if (isShown && isKnown && this.#mayLower(level)) {
      this.#answer(pending, nowMs, false, effects);
      return;
    }
    this.#pending.forget(pending);
    if (
      !isShown &&
      isKnown &&
      (isMetBy(pending.demand, answers.counted) || this.#mayLower(level))
    ) {
      effects.refuse(request, sessionBehind(key, level, pending.heard));
      return;
    }
    if (!this.#mayLower(level)) {
      effects.refuse(request, unansweredRead(pending.demand, answers));
      return;
    }
    const { replicas } = answers.placement;
    effects.refuse(request, noCopyReachable(keyTextOf(key), replicas, pending.heard));
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
    this.#pending.answered(pending, pending.isAnsweredByAll);
    this.#reply(pending, receipt, effects);
    repair(pending, merged, stale, effects);
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
    repair(pending, merged, merged === before ? behind & bit : behind, effects);
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

  #mayLower(level: Level): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }

  get #prefersAvailability(): boolean {
    return this.#settings.partitionPolicy === "prefer-availability";
  }
}
