import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import { type ActorSums, addTo, joinSums, ownSum, retireSums, totalOf } from "./actor-sums.ts";
import { checkAmount, checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";

export interface Increment {
  /** A whole number from 1. */
  readonly increment: number;
}

export interface Decrement {
  /** A whole number from 1. */
  readonly decrement: number;
}

const FORMS = Object.freeze({ increment: "{ increment: 1 }", decrement: "{ decrement: 1 }" });
const INCREMENT_ALONE = Object.freeze({ increment: FORMS.increment });

function amountOf(operation: Increment | Decrement): number {
  return "increment" in operation ? operation.increment : -operation.decrement;
}

function counter<Op extends Increment | Decrement>(
  name: string,
  forms: Readonly<Partial<Record<"increment" | "decrement", string>>>,
): CrdtResolver<ActorSums, Op, number> {
  return defineCrdt<ActorSums, Op, number>({
    name,
    initial: () => [],
    mutate: (state, operation, dot) => addTo(state, amountOf(operation), dot),
    join: joinSums,
    value: totalOf,
    delta: (state, operation, dot) => [ownSum(state, amountOf(operation), dot)],
    retireActors: retireSums,
    checkOperation: (operation) => {
      const [member, amount] = checkMember(operation, name, forms as Record<string, string>);
      return { [member]: checkAmount(amount, name, member) } as unknown as Op;
    },
  });
}

/**
 * A counter that grows: `{ increment: 5 }`. Every acknowledged increment counts once, whatever the
 * network did (Shapiro et al., "A Comprehensive Study of CRDTs", 2011, §3.1.2).
 */
export function gCounter(): CrdtResolver<ActorSums, Increment, number> {
  return counter("g-counter", INCREMENT_ALONE);
}

/**
 * A counter that goes both ways: `{ increment: 5 }`, `{ decrement: 2 }`. It has no floor: what two
 * sides of a cut take together may be more than there was.
 */
export function pnCounter(): CrdtResolver<ActorSums, Increment | Decrement, number> {
  return counter("pn-counter", FORMS);
}
