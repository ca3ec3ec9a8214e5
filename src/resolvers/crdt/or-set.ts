import type { CrdtResolver, OperationDot } from "../../core/contracts/resolver.ts";
import {
  exactly,
  followsContext,
  joinContexts,
  NOTHING_SEEN,
  retireWithin,
  runOf,
} from "./causal-context.ts";
import { checkElement, checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { type DottedMap, findEntry, joinDottedMaps } from "./dotted.ts";
import { compareElements } from "./elements.ts";
import type { Add } from "./g-set.ts";

type ElementDot = readonly [actor: string, counter: number];

/** The elements, each with the dots of the additions that keep it, and the dots that were seen. */
export type OrSetState<Element = unknown> = DottedMap<Element, ElementDot>;

export interface Remove<Element = unknown> {
  readonly remove: Element;
}

export type SetOperation<Element = unknown> = Add<Element> | Remove<Element>;

const FORMS = Object.freeze({ add: '{ add: "milk" }', remove: '{ remove: "milk" }' });

/**
 * A set from which elements can be taken: `{ add: "milk" }`, `{ remove: "milk" }`. An addition wins
 * over a removal that had not seen it. Elements are any values, equal if their encodings are. What
 * was removed leaves nothing behind (Bieniusa et al., "An Optimized Conflict-free Replicated Set",
 * 2012): an addition takes the place of all that its state held of the element, so that an element
 * has as many dots as it was added concurrently, at most.
 */
export function orSet<Element = unknown>(): CrdtResolver<
  OrSetState<Element>,
  SetOperation<Element>,
  Element[]
> {
  return defineCrdt<OrSetState<Element>, SetOperation<Element>, Element[]>({
    name: "or-set",
    initial: () => ({ context: NOTHING_SEEN, entries: [] }),
    mutate,
    join: (a, b) => joinDottedMaps(a, b, compareElements),
    value: ({ entries }) => entries.map(([element]) => element),
    delta,
    follows: (state, { context }) => followsContext(state.context, context),
    retireActors: retireWithin,
    checkOperation: (operation) => {
      const [name, element] = checkMember(operation, "or-set", FORMS);
      checkElement(element);
      return { [name]: element } as unknown as SetOperation<Element>;
    },
  });
}

function mutate<Element>(
  state: OrSetState<Element>,
  operation: SetOperation<Element>,
  dot: OperationDot,
): OrSetState<Element> {
  const { context, entries } = state;
  if ("remove" in operation) {
    const at = findEntry(entries, operation.remove, compareElements);
    // The context has the removed dots already: what they added is gone wherever this is joined.
    return at < 0 ? state : { context, entries: entries.toSpliced(at, 1) };
  }
  const at = findEntry(entries, operation.add, compareElements);
  const entry = [operation.add, [[dot.actor, dot.counter]]] as const;
  return {
    context: joinContexts(context, runOf(context, dot)),
    entries: at < 0 ? entries.toSpliced(-1 - at, 0, entry) : entries.with(at, entry),
  };
}

function delta<Element>(
  { context, entries }: OrSetState<Element>,
  operation: SetOperation<Element>,
  dot: OperationDot,
): OrSetState<Element> {
  const element = "add" in operation ? operation.add : operation.remove;
  const replaced = exactly(entries[findEntry(entries, element, compareElements)]?.[1] ?? []);
  if ("remove" in operation) return { context: replaced, entries: [] };
  return {
    context: joinContexts(replaced, runOf(context, dot)),
    entries: [[element, [[dot.actor, dot.counter]]]],
  };
}
