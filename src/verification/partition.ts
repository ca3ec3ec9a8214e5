import type { HistoryOperation } from "./operation.ts";

/** The operations on keys that belong together. */
export interface HistoryPart<Input, Output> {
  readonly keys: readonly string[];
  readonly operations: readonly HistoryOperation<Input, Output>[];
}

/**
 * Operations that share no key, not even through others, are independent, so that each part can
 * be judged alone (Herlihy and Wing, "Linearizability", 1990, §3.1, locality). Parts stand in the
 * order of their first operations.
 */
export function partitionByKeys<Input, Output>(
  history: readonly HistoryOperation<Input, Output>[],
  keysOf: (input: Input) => readonly string[],
): readonly HistoryPart<Input, Output>[] {
  const keys = new KeySets();
  for (const { input } of history) keys.join(keysOf(input));
  const parts = new Map<
    string,
    { keys: Set<string>; operations: HistoryOperation<Input, Output>[] }
  >();
  for (const operation of history) {
    const touched = keysOf(operation.input);
    const root = touched[0] === undefined ? "" : keys.rootOf(touched[0]);
    const part = parts.get(root) ?? { keys: new Set(), operations: [] };
    parts.set(root, part);
    for (const key of touched) part.keys.add(key);
    part.operations.push(operation);
  }
  return [...parts.values()].map((part) => ({
    keys: [...part.keys],
    operations: part.operations,
  }));
}

/** Union-find with path halving. */
class KeySets {
  readonly #parents = new Map<string, string>();

  join(keys: readonly string[]): void {
    const [first, ...others] = keys;
    if (first === undefined) return;
    const root = this.rootOf(first);
    for (const other of others) this.#parents.set(this.rootOf(other), root);
  }

  rootOf(key: string): string {
    let at = key;
    for (;;) {
      const parent = this.#parents.get(at);
      if (parent === undefined) {
        this.#parents.set(at, at);
        return at;
      }
      if (parent === at) return at;
      const grandparent = this.#parents.get(parent) ?? parent;
      this.#parents.set(at, grandparent);
      at = grandparent;
    }
  }
}
