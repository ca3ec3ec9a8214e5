import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { findEntry } from "./dotted.ts";
import { compareTexts } from "./elements.ts";

/** The state of each kind that was used, sorted by the kind's name. */
export type AnyCrdtState = readonly (readonly [kind: string, state: unknown])[];

/** Kinds of CRDTs by the name that operations use. */
export type CrdtKinds = Readonly<Record<string, CrdtResolver>>;

/**
 * A CRDT of whichever kind its operations name: `{ "or-set": { add: "x" } }`. Its value is that of
 * the one kind that was used; where concurrent operations used several, an object of the values by
 * kind. For maps whose keys are of different kinds.
 */
export function anyCrdt(
  kinds: CrdtKinds,
): CrdtResolver<AnyCrdtState, Readonly<Record<string, unknown>>, unknown> {
  const forms = Object.fromEntries(
    Object.keys(kinds).map((kind) => [kind, `{ ${JSON.stringify(kind)}: operation }`]),
  );
  const kindOf = (name: string): CrdtResolver => {
    const found = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (found !== undefined) return found;
    const known = Object.keys(kinds).join(", ");
    throw new CapstanError(
      "INVALID_VALUE",
      `a state is of the kind ${JSON.stringify(name)}; allowed: ${known}`,
    );
  };
  const partOf = (state: AnyCrdtState, name: string): unknown => {
    const entry = state[findEntry(state, name, compareTexts)];
    return entry === undefined ? kindOf(name).initial() : entry[1];
  };
  return defineCrdt<AnyCrdtState, Readonly<Record<string, unknown>>, unknown>({
    name: "any",
    initial: () => [],
    mutate: (state, operation, dot) => {
      const [name, inner] = Object.entries(operation)[0] as [string, unknown];
      const part = kindOf(name).mutate(partOf(state, name), inner, dot);
      return joinParts(state, [[name, part]], (_kind, _before, after) => after);
    },
    join: (a, b) => joinParts(a, b, (kind, partA, partB) => kindOf(kind).join(partA, partB)),
    value: (state) => {
      const values = state.map(([name, part]) => [name, kindOf(name).value(part)] as const);
      return values.length === 1 ? values[0]?.[1] : Object.fromEntries(values);
    },
    delta: (state, operation, dot) => {
      const [name, inner] = Object.entries(operation)[0] as [string, unknown];
      const [kind, part] = [kindOf(name), partOf(state, name)];
      return [[name, kind.delta?.(part, inner, dot) ?? kind.mutate(part, inner, dot)]];
    },
    follows: (state, delta) =>
      delta.every(([name, part]) => kindOf(name).follows?.(partOf(state, name), part) ?? true),
    checkOperation: (operation) => {
      const [name, inner] = checkMember(operation, "this map's keys", forms);
      return { [name]: kindOf(name).checkOperation(inner) };
    },
  });
}

function joinParts(
  a: AnyCrdtState,
  b: AnyCrdtState,
  join: (kind: string, a: unknown, b: unknown) => unknown,
): AnyCrdtState {
  let joined = a;
  for (const [name, part] of b) {
    const at = findEntry(joined, name, compareTexts);
    const before = joined[at];
    if (before === undefined) {
      joined = joined.toSpliced(-1 - at, 0, [name, part]);
      continue;
    }
    const both = join(name, before[1], part);
    if (both !== before[1]) joined = joined.with(at, [name, both]);
  }
  return joined;
}
