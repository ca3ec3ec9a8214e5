import {
  type KeyValueOperation,
  type KeyValueWrite,
  OPEN_ENDED,
  type RegisterValue,
} from "../../../src/verification/index.ts";
import type { SeededRandom } from "../../support/seeded-random.ts";

/** A write of a register; of `undefined`: a deletion. Open-ended: its outcome is unknown. */
export function write(
  value: RegisterValue,
  calledAt: number,
  returnedAt: number,
  key = "k",
): KeyValueOperation {
  const outcome = returnedAt === OPEN_ENDED ? "unknown" : "applied";
  const input = value === undefined ? { type: "delete", key } : { type: "put", key, value };
  return { client: "w", input, outcome, calledAt, returnedAt } as KeyValueOperation;
}

export function read(
  value: RegisterValue,
  calledAt: number,
  returnedAt: number,
  key = "k",
): KeyValueOperation {
  const input = { type: "get", key } as const;
  return { client: "r", input, output: { value }, outcome: "applied", calledAt, returnedAt };
}

export function batch(
  writes: readonly KeyValueWrite[],
  calledAt: number,
  returnedAt: number,
): KeyValueOperation {
  const outcome = returnedAt === OPEN_ENDED ? "unknown" : "applied";
  return { client: "w", input: { type: "batch", writes }, outcome, calledAt, returnedAt };
}

export function below(random: SeededRandom, limit: number): number {
  return random.uint32() % limit;
}

export interface LegalHistoryOptions {
  readonly length: number;
  /** How far a call or a return lies from the moment of the effect, in tenths of operations. */
  readonly spread: number;
  /** One write in so many has an unknown outcome. */
  readonly unknownOneIn: number;
  readonly keys?: number;
}

/**
 * What real registers would have answered clients that overlap: one effect after the other, each
 * with a call before it and a return behind it. Values are written once.
 */
export function legalHistory(
  random: SeededRandom,
  { length, spread, unknownOneIn, keys = 1 }: LegalHistoryOptions,
): KeyValueOperation[] {
  const history: KeyValueOperation[] = [];
  const states = new Map<string, RegisterValue>();
  for (let at = 0; at < length; at++) {
    const key = keys === 1 ? "k" : `k${below(random, keys)}`;
    const calledAt = at * 10 - 1 - below(random, spread);
    const returnedAt = at * 10 + 1 + below(random, spread);
    if (below(random, 2) === 0) {
      history.push(read(states.get(key), calledAt, returnedAt, key));
      continue;
    }
    const value = below(random, 12) === 0 ? undefined : `v${at}`;
    // One half of the unknown ones never takes effect.
    const isUnknown = below(random, unknownOneIn) === 0;
    if (!isUnknown || below(random, 2) === 0) states.set(key, value);
    history.push(write(value, calledAt, isUnknown ? OPEN_ENDED : returnedAt, key));
  }
  return history;
}

/** The same with one read's answer changed to another value; undefined if that does nothing. */
export function withOneReadChanged(
  random: SeededRandom,
  history: readonly KeyValueOperation[],
): KeyValueOperation[] | undefined {
  const reads = history.flatMap(({ input }, index) => (input.type === "get" ? [index] : []));
  const at = reads[below(random, Math.max(1, reads.length))];
  const victim = at === undefined ? undefined : history[at];
  const values = history.flatMap(({ input }) => (input.type === "put" ? [input.value] : []));
  const value = values[below(random, Math.max(1, values.length))];
  if (at === undefined || victim === undefined || value === victim.output?.value) return undefined;
  return history.with(at, { ...victim, output: { value } });
}
