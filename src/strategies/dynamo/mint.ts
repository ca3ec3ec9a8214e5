import type { CrdtResolver, OperationDot } from "../../core/contracts/resolver.ts";
import { actorName } from "../../core/model/actor-name.ts";
import { isCapstanError } from "../../core/model/errors.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import {
  actorText,
  CausalContext,
  compareDots,
  type EventDot,
  type TimedDot,
} from "./causal-context.ts";
import { type DottedRecord, isAlive, NOTHING, type Sibling } from "./dotted-record.ts";
import { settled } from "./dotted-rules.ts";
import { joined, type Settlement } from "./settlement.ts";
import { hasSeen, knowsUnseen } from "./unseen-versions.ts";

/** Versions that a key holds side by side; above it a write has to say what it replaces. */
export const MAX_SIBLINGS = 64;
/** Of a record with all its versions, or the state of a CRDT. */
export const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** A client's write, as it reaches the node that names it. */
export interface NewEvent {
  readonly type: "put" | "delete" | "update";
  /** Canonical encoding of the value, or of the resolver's operation; undefined for a deletion. */
  readonly value: Uint8Array | undefined;
  /** What the client has seen; undefined if it does not say. */
  readonly seen: CausalContext | undefined;
  /** Versions that the context covers, and the client has not seen. Default: none. */
  readonly unseen?: readonly TimedDot[] | undefined;
  /** When the value is gone, in milliseconds of wall time. Only of a put. */
  readonly expiresAtMs?: number | undefined;
}

export type Minted =
  | { readonly type: "record"; readonly record: DottedRecord }
  | { readonly type: "too-many-siblings" }
  /** The resolver would not have the operation. */
  | { readonly type: "refused"; readonly message: string };

/**
 * The record after one client's write, which `dot` names: `event` of the 2014 paper (§5).
 *
 * A write replaces exactly what its client has seen: what its context covers, but for what stands
 * there as unseen. Of that this node may not have heard: then it cannot tell what of the context was
 * replaced by it, and has not been seen either. So the write replaces nothing: more is kept, and never
 * less. Without a context a put replaces nothing, and stands
 * beside what is there; a deletion removes what this node holds, since there is nobody else who
 * could say what it meant.
 */
export function mint(
  settlement: Settlement,
  held: DottedRecord = NOTHING,
  event: NewEvent,
  dot: EventDot,
  time: HybridTime,
): Minted {
  if (event.type === "update") return mutated(settlement, held, event, dot, time);
  const { unseen = [] } = event;
  const seen = seenHere(event, held);
  const left =
    seen === undefined
      ? held.siblings
      : held.siblings.filter((each) => !hasSeen({ context: seen, unseen }, each));
  if (event.seen === undefined && left.length >= MAX_SIBLINGS) return { type: "too-many-siblings" };
  const { value, expiresAtMs } = event;
  const isKept = value === undefined || expiresAtMs === undefined;
  const version: Sibling = isKept ? { dot, time, value } : { dot, time, value, expiresAtMs };
  const context = seen === undefined ? held.context : held.context.merge(seen);
  const { actor, counter } = dot;
  const known = context.with({ actor, counter, time });
  const siblings = settled(settlement, inOrder(left, version));
  return { type: "record", record: { context: known, newestTime: time, siblings, states: [] } };
}

function seenHere(
  { type, seen, unseen = [] }: NewEvent,
  { context }: DottedRecord,
): CausalContext | undefined {
  if (seen === undefined) return type === "delete" ? context : undefined;
  return knowsUnseen(context, unseen) ? seen : CausalContext.EMPTY;
}

/** The versions, which are in the order of their dots, with one more. */
function inOrder(versions: readonly Sibling[], version: Sibling): readonly Sibling[] {
  const before = versions.findIndex(({ dot }) => compareDots(dot, version.dot) > 0);
  if (before < 0) return versions.concat(version);
  return [...versions.slice(0, before), version, ...versions.slice(before)];
}

function mutated(
  settlement: Settlement,
  held: DottedRecord,
  { value }: NewEvent,
  dot: EventDot,
  time: HybridTime,
): Minted {
  if (settlement.kind !== "states" || value === undefined) return NO_OPERATIONS;
  const { resolver } = settlement;
  const operated = operate(
    resolver,
    () => stateOf(resolver, held),
    { value, dot, time },
    (state) => encodeValue(state),
  );
  if (operated.type === "refused") return operated;
  const record: DottedRecord = {
    context: held.context.with({ ...dot, time }),
    newestTime: time,
    siblings: [],
    states: [operated.made],
  };
  return { type: "record", record };
}

export const NO_OPERATIONS: Minted & { readonly type: "refused" } = Object.freeze({
  type: "refused",
  message: "the keyspace's resolver has no operations",
});

/** @throws Error where the record holds states that do not join. */
export function stateOf(resolver: CrdtResolver, held: DottedRecord): unknown {
  if (!isAlive(held)) return resolver.initial();
  const [state, ...apart] = joined(resolver, held.states);
  if (state === undefined || apart.length > 0) throw new Error("states that do not join");
  return decodeValue(state);
}

/** A client's operation on a CRDT, and the dot that names it. */
export interface NamedOperation {
  /** Canonical encoding. */
  readonly value: Uint8Array;
  readonly dot: EventDot;
  readonly time: HybridTime;
  /** When the name that the resolver knows the actor by ends; undefined: never. */
  readonly endsAtMs?: number | undefined;
}

/**
 * What `make` makes of the state after the operation, with the state before it, or why there is
 * nothing. The resolver may be anybody's: whatever it throws is a refusal.
 */
export function operate<Made>(
  resolver: CrdtResolver,
  before: () => unknown,
  { value, dot, time, endsAtMs }: NamedOperation,
  make: (after: unknown, before: unknown, operation: unknown, named: OperationDot) => Made,
):
  | { readonly type: "made"; readonly made: Made }
  | { readonly type: "refused"; readonly message: string } {
  try {
    const actor = actorName(actorText(dot.actor), endsAtMs);
    const named: OperationDot = { actor, counter: dot.counter, time };
    const state = before();
    const operation = resolver.checkOperation(decodeValue(value));
    const after = resolver.mutate(state, operation, named);
    return { type: "made", made: make(after, state, operation, named) };
  } catch (error) {
    // Bad input has been refused by the coordinator: what is left is the resolver's own fault.
    const message = error instanceof Error ? error.message : String(error);
    return {
      type: "refused",
      message: isCapstanError(error) ? message : `the resolver: ${message}`,
    };
  }
}
