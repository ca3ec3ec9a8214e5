import type { HybridTime } from "../model/stamp.ts";

/** One of the versions that a resolver is shown. */
export interface ResolverVersion<Value = unknown> {
  readonly value: Value;
  /** Hybrid time of the write, as milliseconds since the Unix epoch and a counter. */
  readonly wallMs: number;
  readonly counter: number;
  /** Breaks ties: different for every node and start. */
  readonly actor: string;
}

export type Resolution<Value = unknown> =
  | { readonly type: "value"; readonly value: Value }
  /** Stay apart: the reader gets all of them. */
  | { readonly type: "siblings" };

export interface ResolverCapabilities {
  /** Where versions meet: at the replica as they arrive, or only when they are read. */
  readonly joinsAt: "replica" | "read";
  /** Whether a read can come back with siblings. */
  readonly siblings: boolean;
  /** Whether `update(key, operation)` is offered. */
  readonly operations: boolean;
  /**
   * `resolve` answers the value of the version with the greatest `wallMs`, then `counter`, then
   * `actor`, whatever the values are: who has the versions may do so himself, and not decode them.
   * Default false.
   */
  readonly keepsNewest?: boolean;
}

/**
 * A dot: one write of one actor, `counter` counting from 1 (Preguiça et al., "Dotted Version
 * Vectors", 2012). Counters of an actor rise, and may skip: they count in a shard, not in a key.
 */
export interface Dot {
  readonly actor: string;
  readonly counter: number;
}

/** The dot of an operation on a CRDT. */
export interface OperationDot extends Dot {
  /** When it was minted. A skewed clock may make it older than times that the state holds. */
  readonly time: HybridTime;
}

/**
 * How concurrent versions of one key become one, or stay siblings.
 *
 * Obligations
 * - Laws: `resolve` and `join` are commutative, associative, idempotent and deterministic to the
 *   byte; `checkResolverLaws` tests them.
 * - Purity: no clock, randomness or I/O; the arguments are not changed.
 * - Errors: a throw leaves the versions as they are, as siblings, and is reported (the event
 *   `resolver-failed`). Where `join` or `value` of a CRDT throws, or `value` answers what is no
 *   Capstan value, reads of the key are refused with `RESOLVER_FAILED`.
 */
export interface Resolver<Value = unknown> {
  readonly name: string;
  readonly capabilities: ResolverCapabilities;
  /** Called with two or more concurrent versions. */
  resolve(versions: readonly ResolverVersion<Value>[]): Resolution<Value>;
}

/** A resolver that never answers siblings. */
export interface SettlingResolver<Value = unknown> extends Resolver<Value> {
  readonly capabilities: ResolverCapabilities & { readonly siblings: false };
}

/** The one name under which goes on what ended actors did. No strategy mints under it. */
export const RETIRED_ACTOR = "";

/**
 * A resolver whose values are states of a CRDT. Its `resolve` joins states.
 *
 * A `State` is a Capstan value: JSON, `Uint8Array`, `Date`, `bigint`. `encodeValue` is its one
 * encoding, on disk, between nodes and in hashes, and a state that was encoded and decoded stands
 * for the one that it was; equal states have equal bytes, however they came about.
 *
 * Obligations of whoever calls
 * - Dots: each is minted for one operation. Names of actors are 1 to 255 bytes of text. Where the
 *   resolver has `retireActors`, a name may say when its actor ends (`actorEnd`): all dots of that
 *   name are older, and the node goes on under another one.
 * - Own dots first: the state that `mutate` is handed holds every earlier dot that `dot.actor`
 *   minted for this key. A node whose copy of the key has left it, or has come back older, mints
 *   under another actor (of a name with a counter of such events, say): a state takes the actor's
 *   greatest counter for "all of them", though counters skip.
 * - Operations have been through `checkOperation`, by a node of this cluster.
 *
 * Obligations of the resolver, beyond those of `Resolver`
 * - `mutate(state, …)` is at or above `state`: `join(state, mutated)` is `mutated`.
 * - Size: a state grows with what it holds now and with the actors that wrote, never with what was
 *   removed.
 */
export interface CrdtResolver<State = unknown, Op = unknown, Value = unknown>
  extends Resolver<State> {
  initial(): State;
  /**
   * Throws a fault `INVALID_ARGUMENT` for an operation that this state cannot take (a counter that
   * would leave the safe integers): then nothing is written.
   */
  mutate(state: State, operation: Op, dot: OperationDot): State;
  /**
   * The least state at or above both. May answer `a` itself where `b` adds nothing to it, and the
   * built-in ones do: `joined === a` says so, and no more than a missed chance if it does not.
   */
  join(a: State, b: State): State;
  /** What clients read: a Capstan value too, equal for equal states. */
  value(state: State): Value;
  /**
   * What `mutate` adds to `state`, small enough to be sent alone; undefined: send the state.
   * `join(state, delta)` is `mutate(state, operation, dot)`, and no delta does harm that comes
   * early, late, twice, or not at all: with any other state x,
   * `join(join(x, delta), mutated)` is `join(x, mutated)`.
   */
  delta?(state: State, operation: Op, dot: OperationDot): State | undefined;
  /**
   * The causal gate: whether `state` holds all that `delta` rests on. A receiver whose state does
   * not may join it or not, but does not know everything that its sender knew: it asks for the
   * whole state. Absent: every delta stands for itself.
   */
  follows?(state: State, delta: State): boolean;
  /**
   * The state without the names of actors that have ended by `upTo` (`actorEnd(name) <= upTo`), with
   * the same value. Only of a state that holds every dot there is, of this key, with a time up to
   * `upTo`, or what came after it.
   *
   * Which dots a state has seen is then said by the state itself, so that it joins with any other,
   * whether that was given the same, another `upTo`, or none: for every state x of this key,
   * `join(retireActors(state, upTo), x)` is `retireActors(join(state, x), upTo)`, and
   * `retireActors(state, upTo)` depends on the state's dots and `upTo` alone. A lesser `upTo` than
   * before changes nothing. Absent: names of actors stay, and none of them ends.
   */
  retireActors?(state: State, upTo: HybridTime): State;
  /** Throws a fault `INVALID_ARGUMENT` that names the value and what is allowed. */
  checkOperation(operation: unknown): Op;
}
