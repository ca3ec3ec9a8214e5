import type { CoordinatorContext, Effects } from "../../core/contracts/machine.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import type { WriteMessage } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import { countOf, type NodeLists, ReplicaAnswers } from "../leaderless/replica-answers.ts";
import type { CopyMessages, DeltaMessage, DynamoMessage } from "./messages.ts";
import type { NewEvent } from "./mint.ts";
import type { PendingWrite } from "./pending-write.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import type { DynamoSettings } from "./settings.ts";
import { StandIns } from "./stand-ins.ts";

/** Part of what is left of its time after which what is not answered is sent again. */
const RESEND_AFTER_PART = 0.5;
const LEAST_RESEND_MS = 20;

type Fx = Effects<DynamoMessage>;
type Told = WriteMessage | DeltaMessage;

/**
 * What writes ask of their minter and of replicas, round by round: the minter to name the write, and
 * once it has, the other replicas to hold it, and a stand-in for each that cannot be reached. Each
 * round has an id of its own and counts answers from nothing; the minter is the same in all.
 */
export class WriteRounds {
  readonly #context: CoordinatorContext;
  readonly #settings: DynamoSettings;
  readonly #planted: PlantedDynamoBugs;
  readonly #nextRoundId: () => number;
  readonly #standIns = new StandIns();
  readonly #pending = new IdTable<PendingWrite>();
  readonly #lists: NodeLists;
  #sweepAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: {
    readonly context: CoordinatorContext;
    readonly settings: DynamoSettings;
    readonly planted: PlantedDynamoBugs;
    readonly nextRoundId: () => number;
    readonly lists: NodeLists;
  }) {
    this.#context = parts.context;
    this.#settings = parts.settings;
    this.#planted = parts.planted;
    this.#nextRoundId = parts.nextRoundId;
    this.#lists = parts.lists;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
  }

  /** The write whose round this is. */
  of(roundId: number): PendingWrite | undefined {
    return this.#pending.get(roundId);
  }

  /** As they are now: the caller may begin and end rounds while it looks at them. */
  pending(): readonly PendingWrite[] {
    return this.#pending.values();
  }

  end({ roundId }: PendingWrite): void {
    this.#pending.delete(roundId);
  }

  /** Begins a round: the same operation to the same minter, the same record to all others. */
  send(pending: PendingWrite, nowMs: number, effects: Fx): void {
    this.#begin(pending, nowMs);
    if (pending.keyed === undefined) this.#askMinter(pending, effects);
    if (pending.minted !== undefined) this.spread(pending, effects);
  }

  /** Begins another round for each write that has waited too long for answers to the last one. */
  sweep(nowMs: number, effects: Fx): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const pending of this.pending()) {
      if (nowMs < pending.resendAtMs) {
        this.#sweepAtMs = Math.min(this.#sweepAtMs, pending.resendAtMs);
      } else this.send(pending, nowMs, effects);
    }
  }

  /** To every replica that can be reached, and a stand-in for each that cannot. */
  spread(pending: PendingWrite, effects: Fx): void {
    const { answers, standIns, keyed } = pending;
    const prefersAvailability = this.#settings.partitionPolicy === "prefer-availability";
    const reachable = answers.reachable(this.#context.isReachable);
    const replicas = reachable & ~answers.asked;
    const missing = answers.total - countOf(reachable | answers.asked);
    const others = prefersAvailability ? this.#freeStandIns(standIns, missing) : 0;
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

  /** The whole record, for those who could not use the delta. */
  fillGaps(pending: PendingWrite, effects: Fx): void {
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

  #begin(pending: PendingWrite, nowMs: number): void {
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
}
