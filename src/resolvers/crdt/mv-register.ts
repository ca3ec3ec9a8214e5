import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import {
  type CausalContext,
  coverOf,
  exactly,
  followsContext,
  joinContexts,
  NOTHING_SEEN,
  retireWithin,
  runOf,
} from "./causal-context.ts";
import { checkElement, checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { type DottedList, joinDotted } from "./dotted.ts";
import { compareElements } from "./elements.ts";
import { SET_FORM, type SetValue } from "./lww-register.ts";

type DottedValue<Value> = readonly [actor: string, counter: number, value: Value];

export interface MvRegisterState<Value = unknown> {
  readonly context: CausalContext;
  /** As many as were set concurrently. */
  readonly values: DottedList<DottedValue<Value>>;
}

/**
 * All values that were set concurrently: `{ set: value }` takes the place of those that its state
 * held. Reads as a list: empty before the first, with one value as a rule, each value once.
 */
export function mvRegister<Value = unknown>(): CrdtResolver<
  MvRegisterState<Value>,
  SetValue<Value>,
  Value[]
> {
  return defineCrdt<MvRegisterState<Value>, SetValue<Value>, Value[]>({
    name: "mv-register",
    initial: () => ({ context: NOTHING_SEEN, values: [] }),
    mutate: ({ context }, { set }, dot) => ({
      context: joinContexts(context, runOf(context, dot)),
      values: [[dot.actor, dot.counter, set]],
    }),
    join: (a, b) => {
      const context = joinContexts(a.context, b.context);
      const values = joinDotted(a.values, b.values, coverOf(a.context), coverOf(b.context));
      return context === a.context && values === a.values ? a : { context, values };
    },
    value: ({ values }) => distinct(values.map(([, , value]) => value)),
    delta: ({ context, values }, { set }, dot) => ({
      context: joinContexts(exactly(values), runOf(context, dot)),
      values: [[dot.actor, dot.counter, set]],
    }),
    follows: (state, { context }) => followsContext(state.context, context),
    retireActors: retireWithin,
    checkOperation: (operation) => {
      const [, value] = checkMember(operation, "mv-register", SET_FORM);
      checkElement(value);
      return { set: value as Value };
    },
  });
}

function distinct<Value>(values: readonly Value[]): Value[] {
  const sorted = values.toSorted(compareElements);
  return sorted.filter((each, at) => at === 0 || compareElements(each, sorted[at - 1]) !== 0);
}
