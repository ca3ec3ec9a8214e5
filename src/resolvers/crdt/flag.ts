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
import { checkMember, refusal } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { type DottedList, joinDotted } from "./dotted.ts";

export interface FlagState {
  readonly context: CausalContext;
  /** Of those who enabled it. It is enabled while there is one. */
  readonly dots: DottedList<readonly [actor: string, counter: number]>;
}

export type FlagOperation = { readonly enable: true } | { readonly disable: true };

const FORMS = Object.freeze({ enable: "{ enable: true }", disable: "{ disable: true }" });

/** `{ enable: true }`, `{ disable: true }`; to enable wins over a concurrent disabling. */
export function flag(): CrdtResolver<FlagState, FlagOperation, boolean> {
  return defineCrdt<FlagState, FlagOperation, boolean>({
    name: "flag",
    initial: () => ({ context: NOTHING_SEEN, dots: [] }),
    mutate: ({ context }, operation, dot) =>
      "enable" in operation
        ? {
            context: joinContexts(context, runOf(context, dot)),
            dots: [[dot.actor, dot.counter]],
          }
        : { context, dots: [] },
    join: (a, b) => {
      const context = joinContexts(a.context, b.context);
      const dots = joinDotted(a.dots, b.dots, coverOf(a.context), coverOf(b.context));
      return context === a.context && dots === a.dots ? a : { context, dots };
    },
    value: ({ dots }) => dots.length > 0,
    delta: ({ context, dots }, operation, dot) =>
      "enable" in operation
        ? {
            context: joinContexts(exactly(dots), runOf(context, dot)),
            dots: [[dot.actor, dot.counter]],
          }
        : { context: exactly(dots), dots: [] },
    follows: (state, { context }) => followsContext(state.context, context),
    retireActors: retireWithin,
    checkOperation: (operation) => {
      const [name, member] = checkMember(operation, "flag", FORMS);
      if (member !== true) throw refusal(operation, "flag", Object.values(FORMS));
      return { [name]: true } as unknown as FlagOperation;
    },
  });
}
