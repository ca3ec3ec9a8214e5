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
}

/** A dot: one write of one actor, `counter` counting from 1. */
export interface Dot {
  readonly actor: string;
  readonly counter: number;
}

/**
 * How concurrent versions of one key become one, or stay siblings.
 *
 * Obligations
 * - Laws: `resolve` and `join` are commutative, associative, idempotent and deterministic to the
 *   byte; `checkResolverLaws` tests them.
 * - Purity: no clock, randomness or I/O; the arguments are not changed.
 * - Errors: a throw leaves the versions as they are, as siblings, and is reported.
 */
export interface Resolver<Value = unknown> {
  readonly name: string;
  readonly capabilities: ResolverCapabilities;
  /** Called with two or more concurrent versions. */
  resolve(versions: readonly ResolverVersion<Value>[]): Resolution<Value>;
}

/** A resolver whose values are states of a CRDT. */
export interface CrdtResolver<State = unknown, Op = unknown, Value = unknown>
  extends Resolver<Value> {
  initial(): State;
  mutate(state: State, operation: Op, dot: Dot): State;
  join(a: State, b: State): State;
  value(state: State): Value;
  /** What `mutate` would add, small enough to send alone; undefined: send the state. */
  delta?(state: State, operation: Op, dot: Dot): State | undefined;
  /** Throws a fault that names what is allowed. */
  checkOperation(operation: unknown): Op;
}
