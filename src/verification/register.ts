import { type HistoryOperation, OPEN_ENDED } from "./history.ts";
import type { SequentialModel } from "./linearizability.ts";

/** `undefined` is the value of a key that was never written, or was deleted. */
export type RegisterValue = string | undefined;

export type RegisterInput =
  | { readonly type: "write"; readonly value: RegisterValue }
  | { readonly type: "read" };

export interface RegisterOutput {
  readonly value: RegisterValue;
}

export type RegisterOperation = HistoryOperation<RegisterInput, RegisterOutput>;

/** One register: a read returns what was written last. */
export const registerModel: SequentialModel<RegisterValue, RegisterInput, RegisterOutput> =
  Object.freeze({
    initial: undefined,
    step: (state: RegisterValue, input: RegisterInput, output: RegisterOutput | undefined) => {
      if (input.type === "write") return { state: input.value };
      return output === undefined || output.value === state ? { state } : undefined;
    },
    nameOf: (state: RegisterValue) => (state === undefined ? "" : `=${state}`),
  });

/**
 * The same question about fewer and shorter operations. Where every value is written once,
 *
 * - an unknown write whose value nobody read can be placed behind everything else, so the rest is
 *   linearizable iff the whole is: it goes;
 * - an unknown write whose value was read took effect before that read returned: it ends there;
 * - an unknown read says nothing: it goes.
 *
 * Without it every unknown write stays a choice at every later step.
 */
export function settleUnknowns(
  history: readonly RegisterOperation[],
): readonly RegisterOperation[] {
  const firstSeen = new Map<string, number>();
  const writes = new Map<string, number>();
  for (const { input, output, returnedAt } of history) {
    if (input.type === "write" && input.value !== undefined) {
      writes.set(input.value, (writes.get(input.value) ?? 0) + 1);
    } else if (input.type === "read" && output?.value !== undefined) {
      const seen = firstSeen.get(output.value) ?? OPEN_ENDED;
      firstSeen.set(output.value, Math.min(seen, returnedAt));
    }
  }
  const settled: RegisterOperation[] = [];
  for (const operation of history) {
    const { input, returnedAt } = operation;
    if (returnedAt !== OPEN_ENDED) settled.push(operation);
    else if (input.type === "write") {
      const { value } = input;
      if (value === undefined || writes.get(value) !== 1) settled.push(operation);
      else {
        const seenAt = firstSeen.get(value);
        if (seenAt !== undefined) {
          settled.push({ ...operation, returnedAt: Math.max(seenAt, operation.calledAt) });
        }
      }
    }
  }
  return settled;
}
