import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import { checkElement, checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { findEntry } from "./dotted.ts";
import { compareElements } from "./elements.ts";

/** Each element in a list of its own, in the order of `compareElements`. */
export type GSetState<Element = unknown> = readonly (readonly [element: Element])[];

export interface Add<Element = unknown> {
  readonly add: Element;
}

const FORMS = Object.freeze({ add: '{ add: "milk" }' });

/** A set that grows: `{ add: "milk" }`. Elements are any values, equal if their encodings are. */
export function gSet<Element = unknown>(): CrdtResolver<
  GSetState<Element>,
  Add<Element>,
  Element[]
> {
  return defineCrdt<GSetState<Element>, Add<Element>, Element[]>({
    name: "g-set",
    initial: () => [],
    mutate: (state, { add }) => {
      const at = findEntry(state, add, compareElements);
      return at >= 0 ? state : state.toSpliced(-1 - at, 0, [add]);
    },
    join: joinElements,
    value: (state) => state.map(([element]) => element),
    // Also where the element is there already: the receiver may lack it.
    delta: (_state, { add }) => [[add]],
    checkOperation: (operation) => {
      const [, add] = checkMember(operation, "g-set", FORMS);
      checkElement(add);
      return { add: add as Element };
    },
  });
}

function joinElements<Element>(a: GSetState<Element>, b: GSetState<Element>): GSetState<Element> {
  if (a === b) return a;
  const joined: (readonly [Element])[] = [];
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [mine, theirs] = [a[atA], b[atB]];
    const order =
      mine === undefined ? 1 : theirs === undefined ? -1 : compareElements(mine[0], theirs[0]);
    joined.push((order <= 0 ? mine : theirs) as readonly [Element]);
    if (order <= 0) atA += 1;
    if (order >= 0) atB += 1;
  }
  return joined.length === a.length ? a : joined;
}
