import type { CoordinatorContext, Effects, Request, Sender } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";
import { type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import { levelTooHigh, tooFewReachable } from "../leaderless/faults.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import type { WriteAck, WriteMessage } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { receiptOf } from "../leaderless/receipts.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import { countOf, NodeLists, ReplicaAnswers } from "../leaderless/replica-answers.ts";
import type { ContextTokens } from "./context-token.ts";
import { keyTextOf, noMinter, notMinted, unknownWrite } from "./faults.ts";
import type {
  CopyMessages,
  DeltaMessage,
  DynamoMessage,
  GapMessage,
  MintedMessage,
} from "./messages.ts";
import type { NewEvent } from "./mint.ts";
import { chooseMinter } from "./minter-choice.ts";
import { encodeOperationName } from "./operation-names.ts";
import { PendingWrite, replicationOf } from "./pending-write.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import { DYNAMO_LEVELS, type DynamoSettings } from "./settings.ts";
import { StandIns } from "./stand-ins.ts";
import { contentOf, type WriteIntents } from "./write-intent.ts";

/** Part of what is left of its time after which what is not answered is sent again. */
const RESEND_AFTER_PART = 0.5;
const LEAST_RESEND_MS = 20;

type Fx = Effects<DynamoMessage>;
type Told = WriteMessage | DeltaMessage;

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
  readonly #nextRoundId: () => number;
  readonly #demands: Demands;
  readonly #planted: PlantedDynamoBugs;
  readonly #standIns = new StandIns();
  readonly #pending = new IdTable<PendingWrite>();
  readonly #lists = new NodeLists();
  #sweepAtMs = Number.POSITIVE_INFINITY;

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
    this.#nextRoundId = parts.nextRoundId;
    this.#demands = parts.demands;
    this.#planted = parts.planted;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
  }

  start(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    try {
      const pending = this.#open(request, wallMs);
      request.memo = pending;
      this.#beginRound(pending, nowMs);
      this.#askMinter(pending, effects);
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      effects.refuse(request, error);
    }
  }

  onMinted(from: Sender, message: MintedMessage, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.get(message.requestId);
    if (pending === undefined || from.node !== pending.minter) return false;
    if (pending.keyed !== undefined) return true;
    if (message.keyed === undefined && message.delta === undefined) {
      // The record may have left the minter since: what was minted, was.
      if (pending.minted === undefined) this.#refuseUnminted(pending, message, effects);
      return true;
    }
    pending.takeMinted(message);
    this.#spread(pending, effects);
    this.#fillGaps(pending, effects);
    this.#evaluate(pending, nowMs, effects);
    return true;
  }

  /** `requestId`: of the ones that the acknowledgement is of. False: it is of none here. */
  onAck(from: Sender, ack: WriteAck, requestId: number, nowMs: number, effects: Fx): boolean {
    const pending = this.#pending.get(requestId);
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
    const pending = this.#pending.get(requestId);
    if (pending === undefined || pending.delta === undefined) return;
    if (!pending.gaps.includes(from.node)) pending.gaps.push(from.node);
    this.#fillGaps(pending, effects);
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
    for (const pending of this.#pending.values()) {
      pending.held &= ~pending.answers.void(peer);
      pending.standInsHeld &= ~pending.standIns.void(peer);
    }
  }

  /** Sends again what is not answered: the same operation to the same minter, the same record. */
  sweep(nowMs: number, effects: Fx): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const pending of [...this.#pending.values()]) {
      if (nowMs < pending.resendAtMs) {
        this.#sweepAtMs = Math.min(this.#sweepAtMs, pending.resendAtMs);
        continue;
      }
      this.#beginRound(pending, nowMs);
      if (pending.keyed === undefined) this.#askMinter(pending, effects);
      if (pending.minted !== undefined) this.#spread(pending, effects);
    }
  }

  /** Others hold the shard now: what is not answered goes to them; its minter stays the same. */
  onMap(shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#pending.values()]) {
      const { level, shardIndex: own } = pending.request.operation;
      const demand = this.#demands.of(level, shardIndex, "write");
      if (own !== shardIndex || demand === undefined) continue;
      pending.demand = this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
      pending.answers = new ReplicaAnswers(this.#context.placement(shardIndex));
      this.#beginRound(pending, nowMs);
      if (pending.keyed === undefined) this.#askMinter(pending, effects);
      if (pending.minted !== undefined) this.#spread(pending, effects);
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
    const reachable = answers.reachable(this.#context.isReachable);
    if (!this.#mayLower(level) && !isMetBy(demand, reachable) && !intent.again) {
      throw tooFewReachable(demand, placement.replicas, answers.nodesOf(reachable));
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

  #askMinter(pending: PendingWrite, effects: Fx): void {
    const minter =
      pending.asked && this.#planted.secondMinter === true
        ? (pending.answers.placement.replicas.find((node) => node !== pending.minter) ??
          pending.minter)
        : pending.minter;
    pending.answers.asked |= pending.answers.bitOf(minter);
    pending.standIns.asked |= pending.standIns.bitOf(minter);
    this.#sendMint(pending, minter, effects);
    pending.asked = true;
  }

  #sendMint(pending: PendingWrite, minter: NodeId, effects: Fx): void {
    const { key, shardIndex, value, type: kind } = pending.request.operation;
    const { expiresAtMs } = pending;
    const type = kind as NewEvent["type"];
    const { context: seen, unseen } = pending.seen ?? {};
    const event: NewEvent = { type, value, seen, unseen, expiresAtMs };
    const message = atEpoch<CopyMessages>(pending.answers.placement, {
      type: "mint",
      requestId: pending.roundId,
      operation: pending.operation,
      again: pending.asked,
      newestTime: pending.follows,
      key,
      event,
    });
    effects.send(minter, "replica", shardIndex, message);
  }

  /** To every replica that can be reached, and a stand-in for each that cannot. */
  #spread(pending: PendingWrite, effects: Fx): void {
    const { answers, standIns, keyed } = pending;
    const reachable = answers.reachable(this.#context.isReachable);
    const replicas = reachable & ~answers.asked;
    const missing = answers.total - countOf(reachable | answers.asked);
    const others = this.#prefersAvailability ? this.#freeStandIns(standIns, missing) : 0;
    answers.asked |= replicas;
    standIns.asked |= others;
    const isDelta = keyed === undefined || !pending.isResent;
    const record = keyed === undefined ? undefined : this.#recordMessage(pending, keyed);
    const delta = isDelta ? this.#deltaMessage(pending) : undefined;
    for (const node of this.#lists.of(answers, replicas))
      this.#tell(pending, node, delta ?? record, effects);
    if (others === 0) return;
    // A stand-in hardly ever has the key.
    for (const node of this.#lists.of(standIns, others)) {
      this.#tell(pending, node, record ?? delta, effects);
    }
  }

  #tell(pending: PendingWrite, node: NodeId, message: Told | undefined, effects: Fx): void {
    if (message === undefined) return;
    // Before the minter's copy is durable: the record vouches for nothing, and each of those who
    // get it answers for itself.
    const { shardIndex } = pending.request.operation;
    const told = atEpoch<CopyMessages>(pending.answers.placement, message);
    effects.sendBeforeDurable(node, "replica", shardIndex, told);
  }

  #recordMessage({ roundId }: PendingWrite, keyed: KeyedRecord): WriteMessage {
    return { type: "write", requestId: roundId, kind: "write-back", proof: undefined, keyed };
  }

  #deltaMessage({ roundId, delta }: PendingWrite): DeltaMessage | undefined {
    return delta === undefined ? undefined : { type: "delta", requestId: roundId, delta };
  }

  /** The whole record, for those who could not use the delta. */
  #fillGaps(pending: PendingWrite, effects: Fx): void {
    if (pending.gaps.length === 0) return;
    if (pending.keyed === undefined) {
      if (pending.asksForRecord) return;
      pending.asksForRecord = true;
      // The minter remembers the operation, and answers with the record.
      this.#sendMint(pending, pending.minter, effects);
      return;
    }
    const message = this.#recordMessage(pending, pending.keyed);
    for (const node of pending.gaps.splice(0)) this.#tell(pending, node, message, effects);
  }

  /** As many as replicas are missing, less those that were asked already. */
  #freeStandIns(standIns: ReplicaAnswers, missing: number): number {
    const reachable = standIns.reachable(this.#context.isReachable);
    let chosen = 0;
    for (let i = 0; i < standIns.total; i++) {
      if (countOf(chosen | standIns.asked) >= missing) break;
      chosen |= reachable & (1 << i) & ~standIns.asked;
    }
    return chosen;
  }

  #beginRound(pending: PendingWrite, nowMs: number): void {
    if (pending.roundId !== 0) {
      this.#pending.delete(pending.roundId);
      const { placement } = pending.answers;
      pending.answers = new ReplicaAnswers(placement);
      pending.standIns = this.#standIns.answersOf(placement);
      pending.held = 0;
      pending.standInsHeld = 0;
      pending.isResent = true;
      pending.gaps.length = 0;
      pending.asksForRecord = false;
    }
    pending.roundId = this.#nextRoundId();
    pending.roundAtMs = nowMs;
    const { operation } = pending.request;
    const deadlineMs =
      operation.deadlineMs ??
      pending.request.startedAtMs + deadlineOfLevel(operation.level, this.#settings.deadlinesMs);
    const restMs = Math.min(deadlineMs - nowMs, this.#settings.rebuildDelayMs);
    pending.resendAtMs = nowMs + Math.max(LEAST_RESEND_MS, restMs * RESEND_AFTER_PART);
    this.#pending.set(pending.roundId, pending);
    this.#sweepAtMs = Math.min(this.#sweepAtMs, pending.resendAtMs);
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
    this.#pending.delete(pending.roundId);
  }
}
