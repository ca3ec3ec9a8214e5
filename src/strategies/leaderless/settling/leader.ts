import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { type HybridTime, hybridTimeOf } from "../../../core/model/stamp.ts";
import type { Summary } from "../anti-entropy/fingerprint.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { PlantedReplicaBugs } from "../planted-bugs.ts";
import { RequestNumbers } from "../request-numbers.ts";
import type { Floors } from "./floors.ts";
import { isMoving } from "./participant.ts";
import type { SettleMessage, SettleStep } from "./settle-messages.ts";
import type { SettlingRules } from "./settling-rules.ts";
import { sumOf } from "./span-sum.ts";

/** What is not answered by then is sent again. */
const RESEND_MS = 500;
/** Without any progress for so long a round is given up. */
const PATIENCE_MS = 10_000;
/** Before a span that differed is compared again: meanwhile it is mended. */
const MEND_MS = 250;
/** A span that still differs then, without anybody writing there, is not going to be equal. */
const MAX_TRIES = 40;
const STEP_PAUSE_MS = 2;

type LeaderlessEffects = Effects<LeaderlessMessage>;
type Step<S extends SettleStep["step"]> = Extract<SettleMessage, { readonly step: S }>;

interface Round {
  readonly upTo: HybridTime;
  readonly replicas: readonly NodeId[];
  readonly standIns: readonly NodeId[];
  phase: "promise" | "walk" | "mend" | "adopt";
  /** Who has not answered in this phase. */
  readonly waiting: Set<NodeId>;
  readonly after: HybridTime;
  from: Uint8Array | undefined;
  to: Uint8Array | undefined;
  /** At most so far, as a peer has asked for. */
  shortened: Uint8Array | undefined;
  sum: Summary | undefined;
  requestId: number;
  differs: boolean;
  /** Of the span, without success. */
  tries: number;
  movedAtMs: number;
  /** Below this key, or everywhere, the leader takes nothing unknown. */
  closedTo: Uint8Array | "all";
}

/** Why a round could not be finished, and who kept it from that. */
export interface Hindrance {
  readonly nodes: readonly NodeId[];
  readonly reason: string;
}

export interface LeaderParts {
  readonly context: ReplicaContext;
  readonly floors: Floors;
  readonly rules: SettlingRules;
  readonly planted: PlantedReplicaBugs;
  /** All replicas have the floor. */
  readonly onFloor: (upTo: HybridTime, effects: LeaderlessEffects) => void;
  readonly onHindered: (hindrance: Hindrance) => void;
}

/**
 * Leads the rounds in which the replicas of a shard agree on a floor: one of them, the one whose
 * node's name comes first.
 *
 * 1. All promise to begin no event up to a time any more; nodes that stand in have handed over all.
 * 2. The leader walks its shard, span by span. Each of the others compares what it holds of events
 *    up to that time; where all are equal to the leader's one sum, the span is closed: nobody takes
 *    anything unknown of those events there. Where one differs, it is mended and compared again.
 * 3. All keep the time as their floor, and when the last one has, tombstones below may go.
 *
 * Nothing of a round is kept but promises and floors. Whatever ends it, the next one begins anew.
 */
export class Leader {
  readonly #parts: LeaderParts;
  #round: Round | undefined;
  #highestFence: HybridTime = 0;
  readonly #numbers: RequestNumbers;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.#numbers = new RequestNumbers(parts.context);
  }

  get isLeading(): boolean {
    return this.#round !== undefined;
  }

  closedUpTo(key: Uint8Array): HybridTime {
    const round = this.#round;
    if (round === undefined) return 0;
    return round.closedTo === "all" || Buffer.compare(key, round.closedTo) < 0 ? round.upTo : 0;
  }

  /** Begins a round for the floor `upTo`, or what is above all promises. False: that is too late. */
  begin(upTo: HybridTime, nowMs: number, wallMs: number, effects: LeaderlessEffects): boolean {
    const { context, floors } = this.#parts;
    const placement = context.placement(context.shardIndex);
    const { fence, reapable } = floors.values;
    const time = Math.max(upTo, fence + 1, this.#highestFence + 1);
    if (isMoving(placement) || time > hybridTimeOf(wallMs)) return false;
    const own = context.self.node;
    const replicas = placement.replicas.filter((node) => node !== own);
    const standIns = placement.standIns;
    const absent = [...replicas, ...standIns].filter((node) => !context.isReachable(node));
    if (absent.length > 0 && this.#parts.planted.settlesWithoutProof !== true) {
      this.#parts.onHindered({ nodes: absent, reason: "cannot be reached" });
      return false;
    }
    this.#round = {
      upTo: time,
      replicas,
      standIns,
      phase: "promise",
      waiting: new Set([...replicas, ...standIns]),
      after: reapable,
      from: undefined,
      to: undefined,
      shortened: undefined,
      sum: undefined,
      requestId: 0,
      differs: false,
      tries: 0,
      movedAtMs: nowMs,
      closedTo: new Uint8Array(0),
    };
    if (this.#parts.planted.settlesWithoutProof === true) {
      this.#promise(this.#round, effects);
      this.#adopt(this.#round, nowMs, effects);
    } else this.#askAll(this.#round, effects);
    if (this.#round?.waiting.size === 0) this.#advance(this.#round, nowMs, effects);
    return true;
  }

  /** Milliseconds until the next call. */
  onTimer(nowMs: number, effects: LeaderlessEffects): number {
    const round = this.#round;
    if (round === undefined) return Number.POSITIVE_INFINITY;
    if (round.phase === "mend") {
      this.#sendSpan(round, effects);
      return RESEND_MS;
    }
    if (nowMs - round.movedAtMs > PATIENCE_MS) {
      this.giveUp([...round.waiting], "does not answer");
      return Number.POSITIVE_INFINITY;
    }
    this.#askAll(round, effects);
    return RESEND_MS;
  }

  giveUp(nodes: readonly NodeId[], reason: string): void {
    if (this.#round === undefined) return;
    this.#round = undefined;
    this.#parts.onHindered({ nodes, reason });
  }

  /** Undefined: nothing new. Otherwise milliseconds until `onTimer`. */
  onAnswer(
    from: Sender,
    message: SettleMessage,
    nowMs: number,
    effects: LeaderlessEffects,
  ): number | undefined {
    const round = this.#round;
    if (round === undefined || round.upTo !== message.upTo) return undefined;
    if (!round.waiting.has(from.node)) return undefined;
    const isExpected = this.#take(round, from.node, message);
    if (!isExpected || this.#round === undefined) return undefined;
    round.waiting.delete(from.node);
    round.movedAtMs = nowMs;
    if (round.waiting.size > 0) return undefined;
    return this.#advance(round, nowMs, effects);
  }

  /** False: it belongs to another phase, or has ended the round. */
  #take(round: Round, node: NodeId, message: SettleMessage): boolean {
    switch (message.step) {
      case "promised":
        return round.phase === "promise" && this.#takePromise(node, message);
      case "spanned":
        if (round.phase !== "walk" || message.requestId !== round.requestId) return false;
        return this.#takeSpan(round, node, message);
      case "adopted":
        if (round.phase !== "adopt") return false;
        if (message.verdict === "void") this.giveUp([node], "was started anew");
        return message.verdict === "adopted";
      default:
        return false;
    }
  }

  #takePromise(node: NodeId, { verdict, copies, fence }: Step<"promised">): boolean {
    this.#highestFence = Math.max(this.#highestFence, fence);
    if (verdict === "promised" && copies === 0) return true;
    const reasons = {
      promised: "has copies to hand over",
      rebuilding: "is being rebuilt",
      elsewhere: "knows another map",
      ahead: "has promised more already, or its clock is behind",
    };
    this.giveUp([node], reasons[verdict]);
    return false;
  }

  #takeSpan(round: Round, node: NodeId, { verdict, to }: Step<"spanned">): boolean {
    if (verdict === "void") {
      this.giveUp([node], "was started anew");
      return false;
    }
    if (verdict === "equal") return true;
    round.differs = true;
    if (verdict === "too-long" && to !== undefined) {
      const isShorter = round.shortened === undefined || Buffer.compare(to, round.shortened) < 0;
      if (isShorter) round.shortened = to;
    }
    return true;
  }

  /** All have answered. */
  #advance(round: Round, nowMs: number, effects: LeaderlessEffects): number {
    if (round.phase === "promise") {
      // Its own promise is the last one: by then every other clock has come to that time, so that a
      // clock which is far ahead does not keep this replica from taking writes once it is set right.
      this.#promise(round, effects);
      // Alone there is nobody to be compared with.
      if (round.replicas.length === 0) this.#adopt(round, nowMs, effects);
      else this.#sendSpan(round, effects);
      return RESEND_MS;
    }
    if (round.phase === "adopt") {
      this.#round = undefined;
      this.#parts.floors.set({ reapable: round.upTo }, effects);
      for (const node of round.replicas) {
        this.#send(node, round, { step: "reap", reapable: round.upTo }, effects);
      }
      this.#parts.onFloor(round.upTo, effects);
      return Number.POSITIVE_INFINITY;
    }
    if (round.differs) {
      if (round.shortened === undefined && ++round.tries > MAX_TRIES) {
        this.giveUp(round.replicas, "holds something else, again and again");
        return Number.POSITIVE_INFINITY;
      }
      round.phase = "mend";
      // Open again: what it lacks has to come in.
      round.closedTo = round.from ?? new Uint8Array(0);
      return round.shortened === undefined ? MEND_MS : STEP_PAUSE_MS;
    }
    round.shortened = undefined;
    round.tries = 0;
    if (round.to === undefined) {
      this.#adopt(round, nowMs, effects);
      return RESEND_MS;
    }
    round.from = round.to;
    this.#sendSpan(round, effects);
    return RESEND_MS;
  }

  #promise({ upTo }: Round, effects: LeaderlessEffects): void {
    const { floors } = this.#parts;
    floors.set({ fence: Math.max(floors.values.fence, upTo) }, effects);
  }

  #sendSpan(round: Round, effects: LeaderlessEffects): void {
    const { rules } = this.#parts;
    const span = { from: round.from, to: round.shortened };
    const { sum, cutAt } = sumOf(span, round.after, round.upTo, rules, effects);
    round.phase = "walk";
    round.to = cutAt ?? round.shortened;
    round.sum = sum;
    round.differs = false;
    round.closedTo = round.to ?? "all";
    round.requestId = this.#numbers.next();
    for (const node of round.replicas) round.waiting.add(node);
    this.#askAll(round, effects);
  }

  #adopt(round: Round, nowMs: number, effects: LeaderlessEffects): void {
    round.phase = "adopt";
    round.closedTo = "all";
    round.waiting.clear();
    this.#parts.floors.set({ floor: round.upTo, stripTo: 0 }, effects);
    const isBlind = this.#parts.planted.settlesWithoutProof === true;
    for (const node of isBlind ? [] : round.replicas) round.waiting.add(node);
    this.#askAll(round, effects);
    if (round.waiting.size === 0) this.#advance(round, nowMs, effects);
  }

  #askAll(round: Round, effects: LeaderlessEffects): void {
    for (const node of round.waiting) this.#send(node, round, this.#questionOf(round), effects);
  }

  #questionOf(round: Round): SettleStep {
    const { context, floors } = this.#parts;
    switch (round.phase) {
      case "promise": {
        const { epoch } = context.placement(context.shardIndex);
        return { step: "promise", epoch, reapable: floors.values.reapable };
      }
      case "adopt":
        return { step: "adopt" };
      default: {
        const { from, to, after, sum } = round;
        return { step: "span", after, span: { from, to }, sum: sum as Summary };
      }
    }
  }

  #send(node: NodeId, round: Round, step: SettleStep, effects: LeaderlessEffects): void {
    const requestId = step.step === "span" ? round.requestId : 0;
    const message: SettleMessage = { type: "settle", requestId, upTo: round.upTo, ...step };
    effects.send(node, "replica", this.#parts.context.shardIndex, message, "bulk");
  }
}
