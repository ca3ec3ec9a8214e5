import type { CrdtResolver, Resolver, ResolverVersion } from "../../core/contracts/resolver.ts";
import { HYBRID_COUNTER_SPAN, type HybridTime, wallMsOf } from "../../core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import { actorText } from "./causal-context.ts";
import type { Sibling } from "./dotted-record.ts";

/**
 * What becomes of concurrent versions of one key, and where.
 *
 * - `siblings`: replicas keep them; a reader gets what the resolver makes of them, or all of them.
 * - `pick`: one of them wins at every replica, the same everywhere (last writer wins).
 * - `states`: there are none; every replica joins the states of a CRDT.
 */
export type Settlement =
  | { readonly kind: "siblings"; readonly resolver: Resolver | undefined }
  | { readonly kind: "pick"; readonly resolver: Resolver }
  | { readonly kind: "states"; readonly resolver: CrdtResolver };

/** Without a resolver siblings stay until a client's write replaces them. */
export function settlementOf(resolver: Resolver | undefined): Settlement {
  if (resolver === undefined) return { kind: "siblings", resolver };
  if (isCrdt(resolver)) return { kind: "states", resolver };
  return { kind: resolver.capabilities.joinsAt === "replica" ? "pick" : "siblings", resolver };
}

export function isCrdt(resolver: Resolver): resolver is CrdtResolver {
  return "mutate" in resolver && "join" in resolver;
}

/**
 * The one that stays, or all where the resolver keeps them apart, throws, or makes something that
 * none of them is: a replica may only drop, so that what is left is a version that some client
 * wrote. A deletion competes as the value `undefined`.
 */
export function picked(resolver: Resolver, siblings: readonly Sibling[]): readonly Sibling[] {
  if (siblings.length < 2) return siblings;
  if (resolver.capabilities.keepsNewest === true) return [siblings.reduce(newerOf)];
  try {
    const versions = siblings.map(versionOf);
    const resolution = resolver.resolve(versions);
    if (resolution.type === "siblings") return siblings;
    const { value } = resolution;
    const same = versions.findIndex((version) => version.value === value);
    // Throws for what cannot be stored: no version has it.
    const winner = siblings[same < 0 ? indexByBytes(siblings, value) : same];
    return winner === undefined ? siblings : [newestOfEqual(winner, siblings)];
  } catch {
    return siblings;
  }
}

export function versionOf({ dot, time, value }: Sibling): ResolverVersion {
  return {
    value: value === undefined ? undefined : decodeValue(value),
    wallMs: wallMsOf(time),
    counter: time % HYBRID_COUNTER_SPAN,
    actor: actorText(dot.actor),
  };
}

/** Every state that adds something, joined; sorted by bytes where `join` throws. */
export function joined(resolver: CrdtResolver, states: readonly Uint8Array[]): Uint8Array[] {
  const distinct = distinctOf(states);
  if (distinct.length < 2) return distinct;
  try {
    const all = distinct.map(decodeValue);
    return [encodeValue(all.reduce((a, b) => resolver.join(a, b)))];
  } catch {
    return distinct;
  }
}

/** A state without the names of actors that have ended, of a record whose context has that base. */
export function retired(
  resolver: CrdtResolver,
  states: readonly Uint8Array[],
  base: HybridTime,
): readonly Uint8Array[] {
  const [state, ...apart] = states;
  const { retireActors } = resolver;
  if (retireActors === undefined || state === undefined || apart.length > 0) return states;
  try {
    return [encodeValue(retireActors(decodeValue(state), base))];
  } catch {
    return states;
  }
}

function distinctOf(states: readonly Uint8Array[]): Uint8Array[] {
  const sorted = [...states].sort(Buffer.compare);
  return sorted.filter((state, at) => at === 0 || !isSame(sorted[at - 1] as Uint8Array, state));
}

function indexByBytes(siblings: readonly Sibling[], value: unknown): number {
  if (value === undefined) return siblings.findIndex((sibling) => sibling.value === undefined);
  const encoded = encodeValue(value);
  return siblings.findIndex(
    (sibling) => sibling.value !== undefined && isSame(sibling.value, encoded),
  );
}

/** Of versions of one value the same one everywhere, whichever the resolver has named. */
function newestOfEqual(winner: Sibling, siblings: readonly Sibling[]): Sibling {
  return siblings.filter((sibling) => isSameValue(sibling.value, winner.value)).reduce(newerOf);
}

function newerOf(a: Sibling, b: Sibling): Sibling {
  if (a.time !== b.time) return a.time > b.time ? a : b;
  return actorText(a.dot.actor) > actorText(b.dot.actor) ? a : b;
}

function isSameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isSame(a, b);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
