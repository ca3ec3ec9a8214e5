import type { CrdtResolver, OperationDot } from "../../core/contracts/resolver.ts";
import { actorId } from "../../core/model/actor-name.ts";
import { isPlainObject } from "../../core/model/plain-object.ts";
import {
  exactly,
  followsContext,
  joinContexts,
  NOTHING_SEEN,
  retireWithin,
  runOf,
} from "./causal-context.ts";
import { checkElement, checkMember, refusal } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { type DottedMap, findEntry, joinDottedMaps } from "./dotted.ts";
import { compareTexts } from "./elements.ts";

/** The state of a key as one update left it. */
type Fragment<State> = readonly [actor: string, counter: number, state: State];

/** By key: a fragment for each of the concurrent updates that were last. */
export type OrMapState<State = unknown> = DottedMap<string, Fragment<State>>;

export type MapOperation<Op = unknown> =
  | { readonly update: { readonly key: string; readonly operation: Op } }
  | { readonly remove: string };

const FORMS = Object.freeze({
  update: '{ update: { key: "name", operation } }',
  remove: '{ remove: "name" }',
});

/**
 * A map of CRDTs, all of the kind `nested`: `{ update: { key: "a", operation } }`,
 * `{ remove: "a" }`. Reads as an object.
 *
 * An update leaves the key's whole state under its own dot, in place of those that it saw; what the
 * key is, is the join of what concurrent updates left. So a removal takes what it saw, and no part
 * of an update that it did not see: the key then stays as that update left it. A state that would
 * be shared between a removal and an update, as in a map of bare states, makes the join depend on
 * the order of what it joins, and doubles or drops counts.
 *
 * @param options `name`: default `"or-map."` and the name of `nested`.
 */
export function orMap<State, Op, Value>(
  nested: CrdtResolver<State, Op, Value>,
  options: { readonly name?: string } = {},
): CrdtResolver<OrMapState<State>, MapOperation<Op>, Record<string, Value>> {
  const stateOf = (fragments: readonly Fragment<State>[]): State =>
    fragments.length === 0
      ? nested.initial()
      : fragments.map(([, , state]) => state).reduce((a, b) => nested.join(a, b));

  const updated = (
    { entries }: OrMapState<State>,
    { key, operation }: { readonly key: string; readonly operation: Op },
    dot: OperationDot,
  ): readonly [key: string, readonly Fragment<State>[]] => {
    const fragments = entries[findEntry(entries, key, compareTexts)]?.[1] ?? [];
    // Names inside never end. A fragment stays as it was made, and of a key's fragments each may know
    // another part of what an actor did: nobody can say of one that it has seen all.
    const inside = { ...dot, actor: actorId(dot.actor) };
    const state = nested.mutate(stateOf(fragments), operation, inside);
    return [key, [[dot.actor, dot.counter, state]]];
  };

  return defineCrdt<OrMapState<State>, MapOperation<Op>, Record<string, Value>>({
    name: options.name ?? `or-map.${nested.name}`,
    initial: () => ({ context: NOTHING_SEEN, entries: [] }),
    mutate: (state, operation, dot) => {
      const { context, entries } = state;
      const key = "remove" in operation ? operation.remove : operation.update.key;
      const at = findEntry(entries, key, compareTexts);
      if ("remove" in operation) {
        return at < 0 ? state : { context, entries: entries.toSpliced(at, 1) };
      }
      const entry = updated(state, operation.update, dot);
      return {
        context: joinContexts(context, runOf(context, dot)),
        entries: at < 0 ? entries.toSpliced(-1 - at, 0, entry) : entries.with(at, entry),
      };
    },
    join: (a, b) => joinDottedMaps(a, b, compareTexts),
    value: ({ entries }) =>
      Object.fromEntries(
        entries.map(([key, fragments]) => [key, nested.value(stateOf(fragments))]),
      ),
    delta: (state, operation, dot) => {
      const { context, entries } = state;
      const key = "remove" in operation ? operation.remove : operation.update.key;
      const replaced = exactly(entries[findEntry(entries, key, compareTexts)]?.[1] ?? []);
      if ("remove" in operation) return { context: replaced, entries: [] };
      return {
        context: joinContexts(replaced, runOf(context, dot)),
        entries: [updated(state, operation.update, dot)],
      };
    },
    follows: (state, { context }) => followsContext(state.context, context),
    retireActors: retireWithin,
    checkOperation: (operation) => checkMapOperation(operation, nested),
  });
}

function checkMapOperation<State, Op, Value>(
  operation: unknown,
  nested: CrdtResolver<State, Op, Value>,
): MapOperation<Op> {
  const [name, member] = checkMember(operation, "or-map", FORMS);
  if (name === "remove") return { remove: checkKey(member, operation) };
  const isUpdate =
    isPlainObject(member) &&
    Object.hasOwn(member, "operation") &&
    Object.keys(member).every((each) => each === "key" || each === "operation");
  if (!isUpdate) throw refusal(operation, "or-map", Object.values(FORMS));
  const key = checkKey(member.key, operation);
  return { update: { key, operation: nested.checkOperation(member.operation) } };
}

function checkKey(key: unknown, operation: unknown): string {
  if (typeof key !== "string") throw refusal(operation, "or-map", Object.values(FORMS));
  // Text with half a surrogate pair could not be encoded.
  checkElement(key);
  return key;
}
