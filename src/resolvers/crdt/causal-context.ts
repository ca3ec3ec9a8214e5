import { type Dot, RETIRED_ACTOR } from "../../core/contracts/resolver.ts";
import { actorEnd } from "../../core/model/actor-name.ts";
import type { HybridTime } from "../../core/model/stamp.ts";

/** The dots of one actor with `from < counter ≤ upTo`. */
export type Run = readonly [actor: string, from: number, upTo: number];

/**
 * Which dots a state has seen, whether what they wrote is still there or not: without a tombstone,
 * a dot that was seen and is not held is one that was removed (Bieniusa et al., "An Optimized
 * Conflict-free Replicated Set", 2012, §3). Exact, also where deltas were lost (Almeida et al.,
 * "Delta State Replicated Data Types", 2018, §7.2 keeps a cloud of dots beside a vector): runs
 * instead of a vector, because counters of one key skip, and a run says what lies between.
 *
 * A run of `RETIRED_ACTOR` is the context's base: all dots of actors that have ended by the time
 * `upTo` were seen. No list of such actors has to be agreed on: a name says when it ends.
 *
 * Invariants: sorted by actor, then `from`; of one actor `upTo(n) < from(n + 1)`; no run of an actor
 * that has ended by the base. One set of dots has one form for each base.
 */
export type CausalContext = readonly Run[];

export const NOTHING_SEEN: CausalContext = Object.freeze([]);

/** Answers whether a context has a dot; made once for many questions. */
export type Cover = (actor: string, counter: number) => boolean;

export function coverOf(context: CausalContext): Cover {
  const base = baseOf(context);
  const ended = new Map<string, boolean>();
  let byActor: Map<string, Run[]> | undefined;
  return (actor, counter) => {
    if (base > 0) {
      const isKnown = ended.get(actor);
      const isOver = isKnown ?? actorEnd(actor) <= base;
      if (isKnown === undefined) ended.set(actor, isOver);
      if (isOver) return true;
    }
    byActor ??= runsByActor(context);
    const runs = byActor.get(actor);
    return runs?.some(([, from, upTo]) => from < counter && counter <= upTo) ?? false;
  };
}

/** All dots of actors that have ended by then were seen. */
function baseOf([first]: CausalContext): HybridTime {
  return first?.[0] === RETIRED_ACTOR ? first[2] : 0;
}

function runsByActor(context: CausalContext): Map<string, Run[]> {
  const byActor = new Map<string, Run[]>();
  for (const run of context) {
    const runs = byActor.get(run[0]);
    if (runs === undefined) byActor.set(run[0], [run]);
    else runs.push(run);
  }
  return byActor;
}

/** The dots of both; `a` itself if it has them all. */
export function joinContexts(a: CausalContext, b: CausalContext): CausalContext {
  if (a === b || includes(a, b)) return a;
  const base = Math.max(baseOf(a), baseOf(b));
  return withoutEnded(base, unionOf(a, b));
}

function withoutEnded(base: HybridTime, runs: CausalContext): CausalContext {
  if (base === 0) return runs;
  return runs.filter(([actor]) => actor === RETIRED_ACTOR || actorEnd(actor) > base);
}

function unionOf(a: CausalContext, b: CausalContext): CausalContext {
  const joined: Run[] = [];
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [runA, runB] = [a[atA], b[atB]];
    if (runB === undefined || (runA !== undefined && isBefore(runA, runB))) {
      append(joined, runA as Run);
      atA += 1;
    } else {
      append(joined, runB);
      atB += 1;
    }
  }
  return joined;
}

function isBefore([actorA, fromA]: Run, [actorB, fromB]: Run): boolean {
  return actorA === actorB ? fromA < fromB : actorA < actorB;
}

function append(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last === undefined || last[0] !== run[0] || run[1] > last[2]) runs.push(run);
  else if (run[2] > last[2]) runs[runs.length - 1] = [run[0], last[1], run[2]];
}

/** How many dots both have; Infinity where `b` has a base, and does not say which it has. */
export function sharedDots(a: CausalContext, b: CausalContext): number {
  if (baseOf(b) > 0) return Number.POSITIVE_INFINITY;
  const base = baseOf(a);
  let shared = 0;
  let at = 0;
  for (const [actor, from, upTo] of b) {
    if (base > 0 && actorEnd(actor) <= base) {
      shared += upTo - from;
      continue;
    }
    let run = a[at];
    while (run !== undefined && (run[0] < actor || (run[0] === actor && run[2] <= from))) {
      at += 1;
      run = a[at];
    }
    for (let next = at; ; next += 1) {
      const each = a[next];
      if (each === undefined || each[0] !== actor || each[1] >= upTo) break;
      shared += Math.min(each[2], upTo) - Math.max(each[1], from);
    }
  }
  return shared;
}

function includes(a: CausalContext, b: CausalContext): boolean {
  const base = baseOf(a);
  let at = 0;
  for (const [actor, from, upTo] of b) {
    if (base > 0 && actor !== RETIRED_ACTOR && actorEnd(actor) <= base) continue;
    let run = a[at];
    while (run !== undefined && (run[0] < actor || (run[0] === actor && run[2] < upTo))) {
      at += 1;
      run = a[at];
    }
    if (run === undefined || run[0] !== actor || run[1] > from) return false;
  }
  return true;
}

/**
 * What a mutation adds to a context: its own dot, and that nothing lies between it and the dot that
 * the actor minted before, all of which the context has ("own dots first").
 */
export function runOf(context: CausalContext, { actor, counter }: Dot): CausalContext {
  const last = context.findLast((run) => run[0] === actor)?.[2] ?? 0;
  checkRises(actor, last, counter);
  return [[actor, last, counter]];
}

/** A dot that is used again would be taken for what it named before, and dropped. */
export function checkRises(actor: string, last: number, counter: number): void {
  if (counter > last) return;
  throw new Error(`a dot of actor ${actor} counts ${counter}, not above its last, ${last}`);
}

/** These dots and no others. */
export function exactly(dots: readonly (readonly [string, number, ...unknown[]])[]): CausalContext {
  return dots.reduce<CausalContext>(
    (context, [actor, counter]) => joinContexts(context, [[actor, counter - 1, counter]]),
    NOTHING_SEEN,
  );
}

/** Whether a delta's context leaves no gap behind a state's: see `CrdtResolver.follows`. */
export function followsContext(context: CausalContext, delta: CausalContext): boolean {
  const isKnownGap = (run: Run): boolean =>
    context.some(([actor, from]) => actor === run[0] && from === run[1]);
  return joinContexts(context, delta).every((run) => run[1] === 0 || isKnownGap(run));
}

/** The same dots, and the statement that all dots of actors that have ended by `upTo` are among them. */
export function retireContext(context: CausalContext, upTo: HybridTime): CausalContext {
  return upTo <= baseOf(context) ? context : joinContexts([[RETIRED_ACTOR, 0, upTo]], context);
}

/** A state's own context so, and nothing else of it changed: its dots keep their names. */
export function retireWithin<State extends { readonly context: CausalContext }>(
  state: State,
  upTo: HybridTime,
): State {
  const context = retireContext(state.context, upTo);
  return context === state.context ? state : { ...state, context };
}
