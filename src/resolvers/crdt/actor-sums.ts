import { type OperationDot, RETIRED_ACTOR } from "../../core/contracts/resolver.ts";
import { actorEnd } from "../../core/model/actor-name.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import { checkRises } from "./causal-context.ts";
import { compareTexts } from "./elements.ts";

/**
 * What each actor has added up to its latest dot. Only the actor itself adds to its sum, so that of
 * two sums the one with the greater counter holds the other. Sorted by actor.
 *
 * The sum of `RETIRED_ACTOR` is that of *all* actors that have ended by the time `upTo`, the base:
 * whoever has it needs none of theirs, and one with a later base holds one with an earlier base. It
 * alone may be beyond what a number holds exactly, and is a bigint then.
 *
 * Invariant: no sum of an actor that has ended by the base.
 */
export type ActorSum = readonly [actor: string, upTo: number, sum: number | bigint];
export type ActorSums = readonly ActorSum[];

/** @throws CapstanError `INVALID_ARGUMENT` if the total would not be a safe integer any more. */
export function addTo(sums: ActorSums, amount: number, dot: OperationDot): ActorSums {
  const added = ownSum(sums, amount, dot);
  const at = sums.findIndex(([actor]) => actor >= dot.actor);
  if (at === -1) return [...sums, added];
  return sums.toSpliced(at, sums[at]?.[0] === dot.actor ? 1 : 0, added);
}

/** The actor's new sum: all that a mutation changes, and so its delta. */
export function ownSum(sums: ActorSums, amount: number, dot: OperationDot): ActorSum {
  const [, last, sum] = sums.find(([actor]) => actor === dot.actor) ?? ["", 0, 0];
  const before = Number(sum);
  checkRises(dot.actor, last, dot.counter);
  if (!Number.isSafeInteger(before + amount)) throw tooFar(before, amount);
  const total = totalOf(sums);
  if (!Number.isSafeInteger(total + amount)) throw tooFar(total, amount);
  return [dot.actor, dot.counter, before + amount];
}

function tooFar(total: number, amount: number): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `a counter at ${total} cannot change by ${amount}: it stays within ±${Number.MAX_SAFE_INTEGER}`,
  );
}

export function joinSums(a: ActorSums, b: ActorSums): ActorSums {
  if (a === b) return a;
  const base = Math.max(baseOf(a), baseOf(b));
  const [left, right] = [withoutHeld(a, base), withoutHeld(b, base)];
  const joined: ActorSum[] = [];
  let isA = left.length === a.length;
  let [atA, atB] = [0, 0];
  while (atA < left.length || atB < right.length) {
    const [mine, theirs] = [left[atA], right[atB]];
    const order =
      mine === undefined ? 1 : theirs === undefined ? -1 : compareTexts(mine[0], theirs[0]);
    if (order <= 0) atA += 1;
    if (order >= 0) atB += 1;
    const takesTheirs = order > 0 || (order === 0 && holds(theirs as ActorSum, mine as ActorSum));
    if (takesTheirs) isA = false;
    joined.push((takesTheirs ? theirs : mine) as ActorSum);
  }
  return isA ? a : joined;
}

/** Of equal bases the sums are equal, unless proof was missing: then one of them, the same everywhere. */
function holds([, upTo, sum]: ActorSum, [, otherUpTo, otherSum]: ActorSum): boolean {
  return upTo === otherUpTo ? sum > otherSum : upTo > otherUpTo;
}

function baseOf([first]: ActorSums): HybridTime {
  return first?.[0] === RETIRED_ACTOR ? first[1] : 0;
}

/** Without what a sum of that base holds already. */
function withoutHeld(sums: ActorSums, base: HybridTime): ActorSums {
  return baseOf(sums) === base ? sums : sums.filter(([actor]) => !isOver(actor, base));
}

function isOver(actor: string, upTo: HybridTime): boolean {
  return actor === RETIRED_ACTOR || actorEnd(actor) <= upTo;
}

/**
 * The sum of all. Concurrent additions may lead beyond what a number holds exactly; then it is the
 * nearest number, the same everywhere.
 */
export function totalOf(sums: ActorSums): number {
  return Number(exactTotal(sums));
}

/** A bigint only where it has to be. */
function exactTotal(sums: ActorSums): number | bigint {
  let total = 0;
  for (const [, , sum] of sums) {
    if (typeof sum === "bigint") return bigTotal(sums);
    total += sum;
    if (!Number.isSafeInteger(total)) return bigTotal(sums);
  }
  return total;
}

function bigTotal(sums: ActorSums): number | bigint {
  const total = sums.reduce((all, [, , sum]) => all + BigInt(sum), 0n);
  return Number.isSafeInteger(Number(total)) ? Number(total) : total;
}

/** One sum of all actors that have ended by then. */
export function retireSums(sums: ActorSums, upTo: HybridTime): ActorSums {
  if (upTo <= baseOf(sums)) return sums;
  const past = sums.filter(([actor]) => isOver(actor, upTo));
  const others = sums.filter(([actor]) => !isOver(actor, upTo));
  return [[RETIRED_ACTOR, upTo, exactTotal(past)], ...others];
}
