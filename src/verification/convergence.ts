/** What one replica holds of one key. */
export interface KeyCopy {
  /** Versions that are alive, in any order; none: only the context is left, as after a deletion. */
  readonly versions: readonly string[];
  /** What the replica has seen of the key; undefined where the strategy has none. */
  readonly context?: string | undefined;
}

/** What each replica holds, by node, then by key. A key that a replica lacks is an empty copy. */
export type ReplicaCopies = ReadonlyMap<string, ReadonlyMap<string, KeyCopy>>;

export interface Divergence {
  readonly key: string;
  /** By node; undefined where the node has nothing of the key. */
  readonly copies: ReadonlyMap<string, KeyCopy | undefined>;
}

export interface ConvergenceResult {
  readonly verdict: "legal" | "illegal";
  /** Keys that at least one replica has. */
  readonly judged: number;
  /** In the order of the keys. */
  readonly violations: readonly Divergence[];
}

/** Whether all replicas hold the same live versions and the same context of every key. */
export function checkConvergence(replicas: ReplicaCopies): ConvergenceResult {
  const keys = new Set([...replicas.values()].flatMap((copies) => [...copies.keys()]));
  const violations: Divergence[] = [];
  for (const key of [...keys].sort()) {
    const copies = new Map([...replicas].map(([node, held]) => [node, held.get(key)]));
    if (new Set([...copies.values()].map(nameOfCopy)).size > 1) violations.push({ key, copies });
  }
  const verdict = violations.length === 0 ? "legal" : "illegal";
  return { verdict, judged: keys.size, violations };
}

function nameOfCopy(copy: KeyCopy | undefined): string {
  const versions = [...new Set(copy?.versions)].sort();
  return JSON.stringify([versions, copy?.context ?? null]);
}
