import type { Outcome } from "../core/model/outcome.ts";

/** An operation that has not returned, and may take effect at any later time. */
export const OPEN_ENDED = Number.POSITIVE_INFINITY;

/**
 * Instead of a level, of a write that took effect and was told that something newer had taken its
 * place: whoever looks for it afterwards need not find it, although nothing was written after it.
 */
export const SUPERSEDED = "superseded";

/**
 * One operation of a history. `calledAt` and `returnedAt` are places in one total order of events,
 * not times: events of one millisecond have an order too. Operations that touch at one place
 * overlap.
 */
export interface HistoryOperation<Input, Output> {
  /** Does one thing at a time. After an unknown outcome it goes on under another name. */
  readonly client: string;
  /** The node that was asked. */
  readonly node?: string;
  /** The level that was asked. */
  readonly level?: string;
  /** The level that was reached, where the answer said so; or `SUPERSEDED`. */
  readonly achieved?: string;
  readonly input: Input;
  /** Undefined where nothing was answered: a model then takes any. */
  readonly output?: Output;
  /** `not-applied`: it had no effect and never will. */
  readonly outcome: Outcome;
  readonly calledAt: number;
  /** `OPEN_ENDED` where the outcome is unknown. */
  readonly returnedAt: number;
  /** Milliseconds of the recorder's clock, for people alone: no checker judges by them. */
  readonly calledAtMs?: number;
  readonly returnedAtMs?: number;
}

/** A value as the store takes it; `undefined`: no such key, or its deletion. */
export type RegisterValue = unknown;

export interface KeyValueGet {
  readonly type: "get";
  readonly key: string;
}

export interface KeyValuePut {
  readonly type: "put";
  readonly key: string;
  readonly value: unknown;
  readonly condition?: WriteCondition | undefined;
}

export interface KeyValueDelete {
  readonly type: "delete";
  readonly key: string;
  readonly condition?: WriteCondition | undefined;
}

/**
 * Written only where this is what the key has; `value` undefined: where nothing is. Shown to people;
 * neither the models of registers look at it, nor does a history's file have it.
 */
export interface WriteCondition {
  readonly value: RegisterValue;
}

/** All of them at once, or none. */
export interface KeyValueBatch {
  readonly type: "batch";
  readonly writes: readonly KeyValueWrite[];
}

/** `value` undefined: a deletion. */
export interface KeyValueWrite {
  readonly key: string;
  readonly value: RegisterValue;
}

export type KeyValueInput = KeyValueGet | KeyValuePut | KeyValueDelete | KeyValueBatch;

export interface KeyValueOutput {
  /** What a read found; undefined: nothing. Writes have none. */
  readonly value?: RegisterValue;
  /** What a read found where there were several values side by side; `value` is not there then. */
  readonly siblings?: readonly unknown[];
  /** The version that was read or written. */
  readonly version?: string;
  /** Of a conditional write: false if its condition did not hold. As `WriteCondition`, for people. */
  readonly isDone?: boolean;
}

/** An operation on a key-value store. */
export type KeyValueOperation = HistoryOperation<KeyValueInput, KeyValueOutput>;

/** What an operation writes, in order; nothing for a read. */
export function writesOf(input: KeyValueInput): readonly KeyValueWrite[] {
  if (input.type === "get") return [];
  if (input.type === "batch") return input.writes;
  return [{ key: input.key, value: input.type === "put" ? input.value : undefined }];
}

export function keysOf(input: KeyValueInput): readonly string[] {
  return input.type === "batch" ? input.writes.map(({ key }) => key) : [input.key];
}

/**
 * The part of a history that operations at `level` make a promise about: reads that were answered
 * at another level are left out; writes at another level stay, since they may be read, but nothing
 * is demanded of when they take effect.
 */
export function atLevel(
  history: readonly KeyValueOperation[],
  level: string,
): readonly KeyValueOperation[] {
  return history.flatMap((operation): readonly KeyValueOperation[] => {
    if ((operation.achieved ?? operation.level) === level) return [operation];
    if (operation.input.type === "get") return [];
    return operation.outcome === "applied"
      ? [{ ...operation, outcome: "unknown", returnedAt: OPEN_ENDED }]
      : [operation];
  });
}
