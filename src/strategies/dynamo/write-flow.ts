import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import { levelTooHigh, tooFewReachable } from "../leaderless/faults.ts";
import type { WriteAck } from "../leaderless/messages.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import { countOf, NodeLists, ReplicaAnswers } from "../leaderless/replica-answers.ts";
import type { ContextTokens } from "./context-token.ts";
import { keyTextOf, noMinter, notMinted, unknownWrite } from "./faults.ts";
import type { DynamoMessage, GapMessage, MintedMessage } from "./messages.ts";
import { chooseMinter } from "./minter-choice.ts";
import { encodeOperationName } from "./operation-names.ts";
import { PendingWrite, replicationOf } from "./pending-write.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import { DYNAMO_LEVELS, type DynamoSettings } from "./settings.ts";
import { StandIns } from "./stand-ins.ts";
import { contentOf, type WriteIntents } from "./write-intent.ts";
import { WriteRounds } from "./write-rounds.ts";

type Fx = Effects<DynamoMessage>;

/**
 * Writes of a dynamo keyspace (DeCandia et al., "Dynamo: Amazon's Highly Available Key-value
 * Store", SOSP 2007, §4.5, with the dots of the 2014 paper in the place of its vector clocks).
 *
 * One node names the write and keeps it in the same step: the minter. It hands back the key's
 * record with the write in it, which goes to the other replicas, and to a stand-in for each that
 * cannot be reached. Only replicas count towards the level. Of an operation on a CRDT they are sent
 * what it has added, once; one that lacks what that rests on gets the record, and so do all in later
 * rounds.
 *
 * There is never a second minter for one operation: if the first does not answer, the outcome is
 * unknown, and a retry under the operation's id goes to the same one.
 */
export class WriteFlow {
  readonly #context: CoordinatorContext;
  readonly #settings: DynamoSettings;
  readonly #tokens: ContextTokens;
  readonly #intents: WriteIntents;
  readonly #rounds: WriteRounds;
  readonly #demands: Demands;
  readonly #planted: PlantedDynamoBugs;
  readonly #standIns = new StandIns();
  readonly #lists = new NodeLists();

  constructor(parts: {
    readonly context: CoordinatorContext;
    readonly settings: DynamoSettings;
    readonly tokens: ContextTokens;
    readonly intents: WriteIntents;
    readonly nextRoundId: () => number;
    readonly demands: Demands;
    readonly planted: PlantedDynamoBugs;
  }) {
    this.#context = parts.context;
    this.#settings = parts.settings;
    this.#tokens = parts.tokens;
    this.#intents = parts.intents;
    const { context, settings, planted, nextRoundId } = parts;
    const lists = this.#lists;
    this.#rounds = new WriteRounds({ context, settings, planted, nextRoundId, lists });
    this.#demands = parts.demands;
    this.#planted = parts.planted;
  }

  get size(): number {
    return this.#rounds.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#rounds.sweepAtMs;
  }

  start(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    try {
      const pending = this.#open(request, wallMs);
      request.memo = pending;
      this.#rounds.send(pending, nowMs, effects);
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      effects.refuse(request, error);
    }
  }

  onMinted(from: Sender, message: MintedMessage, nowMs: number, effects: Fx): boolean {
    const pending = this.#rounds.of(message.requestId);
    if (pending === undefined || from.node !== pending.minter) return false;
    if (pending.keyed !== undefined) return true;
    if (message.keyed === undefined && message.delta === undefined) {
      // The record may have left the minter since: what was minted, was.
      if (pending.minted === undefined) this.#refuseUnminted(pending, message, effects);
      return true;
    }
    pending.takeMinted(message);
    this.#rounds.spread(pending, effects);
    this.#rounds.fillGaps(pending, effects);
    this.#evaluate(pending, nowMs, effects);
    return true;
  }

  /** `requestId`: of the ones that the acknowledgement is of. False: it is of none here. */
  onAck(from: Sender, ack: WriteAck, requestId: number, nowMs: number, effects: Fx): boolean {
    const pending = this.#rounds.of(requestId);
    if (pending === undefined) return false;
    const standInBit = pending.standIns.take(from.node, true);
    pending.standInsHeld |= standInBit;
    // After a stall of this node: a replica that was emptied since may have learned from the
    // others what they held before this copy, and its old self's does not count any more.
    const isTooOld =
      pending.demand.count > 1 && nowMs - pending.roundAtMs > this.#settings.rebuildDelayMs;
    const bit = pending.answers.take(from.node, ack.serving && !isTooOld);
    pending.held |= bit;
    if ((bit | standInBit) !== 0) this.#evaluate(pending, nowMs, effects);
    return true;
  }

  /** A copy lacks what the delta rests on. */
  onGap(from: Sender, { requestId }: GapMessage, effects: Fx): void {
    const pending = this.#rounds.of(requestId);
    if (pending === undefined || pending.delta === undefined) return;
    if (!pending.gaps.includes(from.node)) pending.gaps.push(from.node);
    this.#rounds.fillGaps(pending, effects);
  }

  onDeadline(request: Request, nowMs: number, effects: Fx): boolean {
    const pending = request.memo;
    if (!(pending instanceof PendingWrite) || pending.ended) return false;
    this.#conclude(pending, nowMs, effects);
    return true;
  }

  onAborted(request: Request, effects: Fx): boolean {
    const pending = request.memo;
    if (!(pending instanceof PendingWrite) || pending.ended) return false;
    this.#end(pending);
    effects.refuse(request, this.#unknown(pending, "the write was aborted after it was sent"));
    return true;
  }

  /** What the old self of a replica held is void. */
  onIdentity(peer: NodeId): void {
    for (const pending of this.#rounds.pending()) {
      pending.held &= ~pending.answers.void(peer);
      pending.standInsHeld &= ~pending.standIns.void(peer);
    }
  }

  /** Sends again what is not answered: the same operation to the same minter, the same record. */
  sweep(nowMs: number, effects: Fx): void {
    this.#rounds.sweep(nowMs, effects);
  }

  /** Others hold the shard now: what is not answered goes to them; its minter stays the same. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of this.#rounds.pending()) {
      const { level, shardIndex: own } = pending.request.operation;
      const demand = this.#demands.of(level, shardIndex, "write");
      if (own !== shardIndex || demand === undefined) continue;
      pending.demand = this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
      pending.answers = new ReplicaAnswers(this.#context.placement(shardIndex));
      this.#rounds.send(pending, nowMs, effects);
    }
  }

  operationIdOf(request: Request): string | undefined {
    const pending = request.memo;
    return pending instanceof PendingWrite ? this.#idOf(pending) : undefined;
  }

  /** @throws CapstanError for what is refused before anything is sent. */
  #open(request: Request, wallMs: number): PendingWrite {
    const { operation } = request;
    const { level, shardIndex } = operation;
    const placement = this.#context.placement(shardIndex);
    const answers = new ReplicaAnswers(placement);
    const demand = this.#demands.of(level, shardIndex, "write");
    if (demand === undefined) {
      throw levelTooHigh(level, shardIndex, this.#demands, DYNAMO_LEVELS, "write");
    }
    const intent = this.#intents.of(request, wallMs);
    const able = ableReplicas(this.#context, answers, shardIndex);
    if (!this.#mayLower(level) && !isMetBy(demand, able) && !intent.again) {
      throw tooFewReachable(demand, placement.replicas, answers.nodesOf(able));
    }
    const standIns = this.#standIns.answersOf(placement);
    const minter = intent.minter ?? this.#chooseMinter(shardIndex);
    if (minter === undefined) throw noMinter(placement.replicas, placement.standIns);
    this.#intents.choose(request, minter);
    const enough = this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
    const { stamp, seen, follows, expiresAtMs } = intent;
    const pending = new PendingWrite({
      request,
      demand: enough,
      operation: stamp,
      minter,
      seen,
      follows,
      expiresAtMs,
      answers,
      standIns,
    });
    pending.asked = intent.again;
    if (intent.again && !this.#context.isReachable(minter)) {
      throw this.#unknown(
        pending,
        `the node ${minter}, which may have taken it, cannot be reached`,
      );
    }
    return pending;
  }

  #chooseMinter(shardIndex: number): NodeId | undefined {
    return chooseMinter(this.#context, shardIndex, this.#prefersAvailability);
  }

  get #prefersAvailability(): boolean {
    return this.#settings.partitionPolicy === "prefer-availability";
  }

  #evaluate(pending: PendingWrite, nowMs: number, effects: Fx): void {
    if (pending.minted === undefined) return;
    if (this.#isMet(pending)) {
      this.#succeed(pending, nowMs, true, effects);
    } else if (pending.isAnswered && this.#mayLowerOf(pending) && pending.copies > 0) {
      // Nobody is left to wait for: those who are missing cannot be reached.
      this.#succeed(pending, nowMs, false, effects);
    }
  }

  #isMet({ demand, held, answers, counted, standInsHeld }: PendingWrite): boolean {
    if (isMetBy(demand, held & answers.counted)) return true;
    const standIns = this.#planted.standInsCount === true ? countOf(standInsHeld) : 0;
    return standIns > 0 && counted + standIns >= demand.count;
  }

  #mayLowerOf({ request }: PendingWrite): boolean {
    return this.#mayLower(request.operation.level);
  }

  #mayLower(level: Level): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }

  /** No further answer is awaited: say what is known. */
  #conclude(pending: PendingWrite, nowMs: number, effects: Fx): void {
    if (pending.minted !== undefined && this.#mayLowerOf(pending) && pending.copies > 0) {
      this.#succeed(pending, nowMs, false, effects);
      return;
    }
    this.#end(pending);
    if (this.#planted.sentIsNotApplied === true) {
      effects.refuse(pending.request, new CapstanError("UNAVAILABLE", "too few confirmed it"));
      return;
    }
    const why =
      pending.minted === undefined
        ? `the write was sent to ${pending.minter}, which did not answer in time`
        : `the write was sent, and ${pending.counted} of the ${pending.demand.count} replicas that ` +
          `${pending.request.operation.level} needs confirmed it in time`;
    effects.refuse(pending.request, this.#unknown(pending, why));
  }

  #succeed(pending: PendingWrite, nowMs: number, met: boolean, effects: Fx): void {
    this.#end(pending);
    const { request, answers, counted } = pending;
    const version = pending.versionBy(this.#tokens, this.#planted);
    effects.recordFact(replicationOf(pending, version, this.#lists));
    const receipt = receiptOf({
      asked: request.operation.level,
      counted,
      durable: counted,
      standIns: countOf(pending.standInsHeld),
      total: answers.total,
      met,
      pendingSync: counted < answers.total,
      repaired: 0,
      epoch: answers.placement.epoch,
      durationMs: nowMs - request.startedAtMs,
      side: "Write",
    });
    const isInSession = request.operation.options?.session !== undefined;
    const session = isInSession ? pending.sessionMark : undefined;
    effects.reply(request, session ? { version, session, receipt } : { version, receipt });
  }

  #refuseUnminted(pending: PendingWrite, message: MintedMessage, effects: Fx): void {
    this.#end(pending);
    const { request } = pending;
    if (message.verdict === "forgotten") {
      const why = `the node ${pending.minter} cannot tell whether it has taken it before`;
      effects.refuse(request, this.#unknown(pending, why));
      return;
    }
    const keyText = keyTextOf(request.operation.key);
    effects.refuse(request, notMinted(message.verdict, keyText, message.reason));
  }

  #unknown(pending: PendingWrite, why: string): CapstanError {
    const { answers, standIns, minter } = pending;
    const answered = [...answers.nodesOf(answers.answered), ...standIns.nodesOf(standIns.answered)];
    return unknownWrite(why, this.#idOf(pending), { minter, answered });
  }

  #idOf({ request, operation, minter }: PendingWrite): string {
    return encodeOperationName(this.#context.keyspaceHash, {
      stamp: operation,
      node: minter,
      key: request.operation.key,
      content: contentOf(request.operation),
    });
  }

  #end(pending: PendingWrite): void {
    pending.ended = true;
    this.#rounds.end(pending);
  }
}
