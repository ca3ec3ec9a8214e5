import type { CoordinatorContext, Effects } from "../../../core/contracts/machine.ts";
import { refuseSetting } from "../../../core/model/configuration-problems.ts";
import { parseDurationMs } from "../../../core/model/durations.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { type Demand, isMetBy, membersOf } from "../demand.ts";
import { countOf, type ReplicaAnswers, type ReplicaMask } from "../replica-answers.ts";
import { PeerTimes } from "./peer-times.ts";

/** The coordinator's timer whose event goes to `Hedges.due`. */
export const HEDGE_TIMER = "hedge";

/**
 * When a read asks one more replica than it needs: after so many milliseconds, after what the ones
 * that it asked usually take (`auto`), never (`off`), or at once all of them (`always`; of levels that are a majority).
 */
export type HedgeSetting = "auto" | "off" | "always" | number;

const WORDS = Object.freeze(["auto", "off", "always"] as const);
const BOUNDS_MS = Object.freeze({ min: 1, max: 60_000 });
/** Timers are no finer, and answers of a machine under load come later than that. */
const LEAST_MS = 2;
/** Of a read's time: later nothing is left for the answer. */
const LATEST_PART = 0.25;
/** Further requests that hedging may add, for each that reads make to peers. */
const BUDGET_SHARE = 0.1;
/** Saved up at most. */
const BUDGET_MOST = 10;

/** @throws CapstanError `INVALID_CONFIGURATION`. */
export function parseHedge(value: unknown, path: string): HedgeSetting {
  if (value === undefined) return "auto";
  const word = WORDS.find((each) => each === value);
  if (word !== undefined) return word;
  if (typeof value !== "string" && typeof value !== "number") {
    return refuseSetting(path, value, "neither a word nor a duration", [...WORDS, "a duration"]);
  }
  if (typeof value === "string" && !/^\d/.test(value)) {
    return refuseSetting(path, value, "neither a word nor a duration", [...WORDS, "a duration"]);
  }
  return parseDurationMs(value, path, BOUNDS_MS);
}

/** What hedging has to know of a read, and keeps of it. */
export interface HedgedRead {
  readonly demand: Demand;
  readonly answers: ReplicaAnswers;
  readonly startedAtMs: number;
  answered: boolean;
  /** When a further replica is asked; Infinity once it was, or where there is none. */
  hedgeAtMs: number;
  hedgedAtMs: number;
  /** Replicas that were asked by way of hedging. */
  hedged: ReplicaMask;
}

/**
 * Whom reads ask: as many replicas as the level needs, those that answer soon first, in turns, and
 * those last that are being rebuilt or were not waited for lately; and one more for each whose
 * answer does not come in the usual time (Dean and Barroso, "The Tail at Scale", 2013). What that
 * adds is at most a tenth of what reads ask anyway: where everything is slow it would only add load.
 */
export class Hedges<Read extends HedgedRead> {
  readonly times = new PeerTimes();
  readonly #context: CoordinatorContext;
  readonly #setting: HedgeSetting;
  #waiting: Read[] = [];
  #isArmed = false;
  #budget = BUDGET_MOST;
  #turn = 1;
  #asked = 0;
  #hedged = 0;
  #denied = 0;
  #won = 0;

  constructor(context: CoordinatorContext, setting: HedgeSetting) {
    this.#context = context;
    this.#setting = setting;
  }

  /** Those of `able` whom a read asks at first: this node's own replica among them, if it is. */
  first(read: Pick<Read, "answers" | "demand">, able: ReplicaMask, nowMs: number): ReplicaMask {
    const { answers, demand } = read;
    const members = able & membersOf(demand);
    if (this.#setting === "always")
      return demand.count > 1 ? members : this.#few(read, able, nowMs);
    if (countOf(members) <= demand.count) return demand.level === "local-quorum" ? members : able;
    return answers.total === 1 ? members : this.#few(read, able, nowMs);
  }

  /** The read has asked these: others may come after a while. */
  watch(read: Read, able: ReplicaMask, endAtMs: number, effects: Pick<Effects<never>, "setTimer">) {
    const { answers, demand, startedAtMs } = read;
    const { self } = this.#context;
    const far = answers.asked & ~answers.bitOf(self.node);
    if (far === 0) return;
    const requests = countOf(far);
    this.#asked += requests;
    this.#budget = Math.min(BUDGET_MOST, this.#budget + requests * BUDGET_SHARE);
    const isPossible = (able & membersOf(demand) & ~answers.asked) !== 0;
    if (!isPossible || this.#setting === "off" || this.#setting === "always") return;
    const delayMs = this.#delayMs(answers, far, startedAtMs, endAtMs);
    read.hedgeAtMs = startedAtMs + delayMs;
    this.#waiting.push(read);
    if (this.#isArmed) return;
    this.#isArmed = true;
    effects.setTimer(HEDGE_TIMER, delayMs);
  }

  onReply(read: Read, node: NodeId, bit: ReplicaMask, serving: boolean, nowMs: number): void {
    if (node === this.#context.self.node) return;
    const isHedge = (read.hedged & bit) !== 0;
    this.times.note(node, nowMs - (isHedge ? read.hedgedAtMs : read.startedAtMs), nowMs);
    if (!serving) this.times.avoid(node, nowMs);
    if (isHedge && !read.answered) this.#won++;
  }

  /** Asks further replicas for the reads that are due. */
  due(
    nowMs: number,
    ask: (read: Read, mask: ReplicaMask) => void,
    effects: Pick<Effects<never>, "setTimer">,
  ): void {
    this.#isArmed = false;
    let nextMs = Number.POSITIVE_INFINITY;
    const waiting: Read[] = [];
    for (const read of this.#waiting) {
      if (read.answered || read.hedgeAtMs === Number.POSITIVE_INFINITY) continue;
      if (read.hedgeAtMs > nowMs) {
        nextMs = Math.min(nextMs, read.hedgeAtMs);
        waiting.push(read);
      } else this.#hedge(read, nowMs, ask);
    }
    this.#waiting = waiting;
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#isArmed = true;
    effects.setTimer(HEDGE_TIMER, Math.max(1, nextMs - nowMs));
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      setting: this.#setting,
      asked: this.#asked,
      hedged: this.#hedged,
      won: this.#won,
      denied: this.#denied,
    };
  }

  #hedge(read: Read, nowMs: number, ask: (read: Read, mask: ReplicaMask) => void): void {
    read.hedgeAtMs = Number.POSITIVE_INFINITY;
    const { answers, demand } = read;
    if (isMetBy(demand, answers.counted)) return;
    const silent = answers.asked & ~answers.answered;
    for (const node of answers.nodesOf(silent)) this.times.avoid(node, nowMs);
    const able = answers.reachable(this.#context.isReachable) & ~answers.asked;
    let more = 0;
    for (const { members, count } of demand.groups) {
      const wanted = count - countOf(answers.counted & members);
      more |= this.#pick(answers, able & members & ~more, wanted, nowMs);
    }
    const requests = countOf(more);
    if (requests === 0) return;
    if (requests > this.#budget) {
      this.#denied++;
      this.#context.count?.("read_hedges_denied", 1);
      return;
    }
    this.#budget -= requests;
    this.#hedged += requests;
    this.#context.count?.("read_hedges", requests);
    read.hedgedAtMs = nowMs;
    read.hedged |= more;
    ask(read, more);
  }

  #few(
    { answers, demand }: Pick<Read, "answers" | "demand">,
    able: ReplicaMask,
    nowMs: number,
  ): ReplicaMask {
    let asked = answers.bitOf(this.#context.self.node) & able & membersOf(demand);
    for (const { members, count } of demand.groups) {
      const wanted = count - countOf(asked & members);
      asked |= this.#pick(answers, able & members & ~asked, wanted, nowMs);
    }
    return asked;
  }

  /** So many of the pool, or all of it: the best rank first, and within a rank in turns. */
  #pick(answers: ReplicaAnswers, pool: ReplicaMask, wanted: number, nowMs: number): ReplicaMask {
    if (wanted <= 0 || pool === 0) return 0;
    if (countOf(pool) <= wanted) return pool;
    const { replicas } = answers.placement;
    this.#turn = (this.#turn + 1) >>> 0;
    let before = this.#turn % countOf(pool);
    let start = 0;
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < replicas.length; i++) {
      if ((pool & (1 << i)) === 0) continue;
      if (before-- === 0) start = i;
      fastestMs = Math.min(fastestMs, this.times.meanMs(replicas[i] as NodeId, nowMs));
    }
    let picked = 0;
    let left = wanted;
    for (let rank = 0; rank <= 2 && left > 0; rank++) {
      for (let step = 0; step < replicas.length && left > 0; step++) {
        const at = (start + step) % replicas.length;
        const bit = 1 << at;
        if ((pool & bit & ~picked) === 0) continue;
        if (this.times.rankOf(replicas[at] as NodeId, fastestMs, nowMs) !== rank) continue;
        picked |= bit;
        left--;
      }
    }
    return picked;
  }

  #delayMs(
    answers: ReplicaAnswers,
    far: ReplicaMask,
    startedAtMs: number,
    endAtMs: number,
  ): number {
    if (typeof this.#setting === "number") return this.#setting;
    const { replicas } = answers.placement;
    let usualMs = LEAST_MS;
    for (let i = 0; i < replicas.length; i++) {
      if ((far & (1 << i)) === 0) continue;
      usualMs = Math.max(usualMs, this.times.usualMs(replicas[i] as NodeId, startedAtMs));
    }
    return Math.max(1, Math.min(usualMs, (endAtMs - startedAtMs) * LATEST_PART));
  }
}
