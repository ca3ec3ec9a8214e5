import {
  type OperationDot,
  RETIRED_ACTOR,
  type RetiredActors,
} from "../../core/contracts/resolver.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { checkRises } from "./causal-context.ts";
import { compareTexts } from "./elements.ts";

/**
 * What each actor has added up to its latest dot. Only the actor itself adds to its sum, so that of
 * two sums the one with the greater counter holds the other. Sorted by actor.
 */
export type ActorSum = readonly [actor: string, upTo: number, sum: number];
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
  const [, last, before] = sums.find(([actor]) => actor === dot.actor) ?? ["", 0, 0];
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
  const joined: ActorSum[] = [];
  let isA = true;
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [mine, theirs] = [a[atA], b[atB]];
    const order =
      mine === undefined ? 1 : theirs === undefined ? -1 : compareTexts(mine[0], theirs[0]);
    if (order <= 0) atA += 1;
    if (order >= 0) atB += 1;
    const takesTheirs =
      order > 0 || (order === 0 && (theirs as ActorSum)[1] > (mine as ActorSum)[1]);
    if (takesTheirs) isA = false;
    joined.push((takesTheirs ? theirs : mine) as ActorSum);
  }
  return isA ? a : joined;
}

/**
 * The sum of all. Concurrent additions may lead beyond what a number holds exactly; then it is the
 * nearest number, the same everywhere.
 */
export function totalOf(sums: ActorSums): number {
  let total = 0;
  for (const [, , sum] of sums) {
    total += sum;
    if (!Number.isSafeInteger(total)) return Number(exactTotal(sums));
  }
  return total;
}

function exactTotal(sums: ActorSums): bigint {
  return sums.reduce((all, [, , sum]) => all + BigInt(sum), 0n);
}

export function retireSums(sums: ActorSums, { offsets, upTo }: RetiredActors): ActorSums {
  const kept = sums.filter(([actor]) => !offsets.has(actor) && actor !== RETIRED_ACTOR);
  const gone = sums.filter(([actor]) => offsets.has(actor));
  if (gone.length === 0) return sums;
  const earlier = sums.filter(([actor]) => actor === RETIRED_ACTOR);
  return [[RETIRED_ACTOR, upTo, totalOf([...earlier, ...gone])], ...kept];
}
