import { resolversByName } from "../../../built-ins.ts";
import type { CrdtResolver, OperationDot } from "../../../core/contracts/resolver.ts";
import { actorId } from "../../../core/model/actor-name.ts";

/** An operation as clients of a watched CRDT send it: it says whose it is. */
export interface WatchedOperation {
  /** Of the call. */
  readonly id: string;
  readonly key: string;
  readonly operation: unknown;
}

/** An operation, as some node has carried it out. */
export interface Performed extends WatchedOperation {
  /** `nameOfDot` of it. */
  readonly name: string;
  readonly dot: OperationDot;
  /** The state that it was carried out upon. */
  readonly before: unknown;
}

/** Which operations nodes have carried out, also those of which no client has heard. */
export interface WatchedCrdt {
  /** Takes `WatchedOperation`s, and does with their `operation` what the CRDT does. */
  readonly resolver: CrdtResolver;
  performedOn(key: string): readonly Performed[];
}

/** The built-in CRDT of that name; undefined for every other resolver. */
export function watchCrdt(name: string): WatchedCrdt | undefined {
  const resolver = resolversByName()[name];
  if (resolver === undefined || !("join" in resolver)) return undefined;
  return watch(resolver as CrdtResolver);
}

function watch(crdt: CrdtResolver): WatchedCrdt {
  const performed = new Map<string, Performed>();
  const byKey = new Map<string, Map<string, Performed>>();
  const { delta } = crdt;
  const innerOf = (operation: unknown): unknown => (operation as WatchedOperation).operation;
  const resolver: CrdtResolver = {
    ...crdt,
    checkOperation: (sent) => {
      const operation = crdt.checkOperation(innerOf(sent));
      return { ...(sent as WatchedOperation), operation };
    },
    mutate: (before, sent, dot) => {
      const name = nameOfDot(dot.actor, dot.counter);
      const operation = sent as WatchedOperation;
      // A step may be taken back, and its dot be that of another operation.
      const taken = performed.get(name);
      if (taken !== undefined) byKey.get(taken.key)?.delete(name);
      const each = { ...operation, name, dot, before };
      performed.set(name, each);
      const ofKey = byKey.get(operation.key) ?? new Map<string, Performed>();
      byKey.set(operation.key, ofKey.set(name, each));
      return crdt.mutate(before, innerOf(sent), dot);
    },
    ...(delta && { delta: (state, sent, dot) => delta(state, innerOf(sent), dot) }),
  };
  const performedOn = (key: string) => [...(byKey.get(key)?.values() ?? [])];
  return { resolver: Object.freeze(resolver), performedOn };
}

/** Of one event the same, whenever the name of its actor ends. */
export function nameOfDot(actor: string, counter: number): string {
  return `${actorId(actor)} ${counter}`;
}
