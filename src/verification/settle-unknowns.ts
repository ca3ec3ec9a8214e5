import { type KeyValueOperation, OPEN_ENDED, writesOf } from "./operation.ts";
import { nameOfValue } from "./register-values.ts";

/**
 * The same question about fewer and shorter operations: legal exactly if the whole history is.
 *
 * - An unknown write none of whose values is found by a read that returned after its call stands,
 *   in any legal order, before no read that depends on it: it goes. That is sound because no
 *   operation here fails for what it met; a conditional write that failed would be a witness of a
 *   write that no read saw.
 * - An unknown write with a value that is written once and was found took effect before the first
 *   such read returned: it ends there.
 * - A read without an answer says nothing: it goes.
 *
 * Without it every unknown write stays a choice at every later step.
 */
export function settleUnknowns(
  history: readonly KeyValueOperation[],
): readonly KeyValueOperation[] {
  const seen = new Sightings(history);
  return history.flatMap((operation): readonly KeyValueOperation[] => {
    const { input, output, returnedAt } = operation;
    if (input.type === "get") return output === undefined ? [] : [operation];
    if (returnedAt !== OPEN_ENDED) return [operation];
    if (!seen.anyAfterCallOf(operation)) return [];
    return [{ ...operation, returnedAt: seen.boundOf(operation) }];
  });
}

/** Which read found which value of which key, and how often each was written. */
class Sightings {
  readonly #first = new Map<string, number>();
  readonly #last = new Map<string, number>();
  readonly #written = new Map<string, number>();

  constructor(history: readonly KeyValueOperation[]) {
    for (const { input, output, returnedAt } of history) {
      for (const { key, value } of writesOf(input)) {
        const name = nameOf(key, value);
        this.#written.set(name, (this.#written.get(name) ?? 0) + 1);
      }
      if (input.type !== "get" || output === undefined) continue;
      for (const value of output.siblings ?? [output.value]) {
        const name = nameOf(input.key, value);
        this.#first.set(name, Math.min(this.#first.get(name) ?? OPEN_ENDED, returnedAt));
        this.#last.set(name, Math.max(this.#last.get(name) ?? -OPEN_ENDED, returnedAt));
      }
    }
  }

  anyAfterCallOf({ input, calledAt }: KeyValueOperation): boolean {
    return writesOf(input).some(({ key, value }) => {
      const last = this.#last.get(nameOf(key, value));
      return last !== undefined && last >= calledAt;
    });
  }

  /** Where a write must have taken effect at the latest. */
  boundOf({ input, calledAt }: KeyValueOperation): number {
    let bound = OPEN_ENDED;
    for (const { key, value } of writesOf(input)) {
      const name = nameOf(key, value);
      // Nothing is found without any deletion, too.
      if (value === undefined || this.#written.get(name) !== 1) continue;
      bound = Math.min(bound, this.#first.get(name) ?? OPEN_ENDED);
    }
    return Math.max(bound, calledAt);
  }
}

function nameOf(key: string, value: unknown): string {
  return `${key.length}:${key}${nameOfValue(value)}`;
}
