import type { ConflictFact, ReplicationFact } from "../../model/facts.ts";
import type { NodeId } from "../../model/ids.ts";
import { decodeKey } from "../../model/keys.ts";
import type { Notice } from "../store-events.ts";

const WINDOW_MS = 1_000;
/** Events about conflicts of one keyspace within a window; the others are counted. */
const MAX_CONFLICTS = 16;

/** Above any number of nodes that a cluster has, or of partial lists before they are summed up. */
const MAX_LISTS = 1_024;

interface Replicated {
  sinceMs: number;
  writes: number;
  /** By list, which is nearly always one and the same: names are counted when they are told. */
  readonly to: Map<readonly NodeId[], number>;
}

interface Conflicts {
  sinceMs: number;
  told: number;
  untold: number;
}

/**
 * Facts as events of the store: of conflicts one each, but a bounded number in a second; of
 * replication one a second, which sums the second up. The next fact ends a second: no timer runs.
 */
export class FactEvents {
  readonly #emit: (notice: Notice) => void;
  readonly #replicated = new Map<string, Replicated>();
  readonly #conflicts = new Map<string, Conflicts>();

  constructor(emit: (notice: Notice) => void) {
    this.#emit = emit;
  }

  onReplication(keyspace: string, { writes, replicatedTo }: ReplicationFact, nowMs: number): void {
    let sum = this.#replicated.get(keyspace);
    if (sum === undefined || nowMs - sum.sinceMs >= WINDOW_MS) {
      if (sum !== undefined) {
        this.#emit({ type: "replicated", keyspace, writes: sum.writes, copies: copiesOf(sum) });
      }
      sum = { sinceMs: nowMs, writes: 0, to: new Map() };
      this.#replicated.set(keyspace, sum);
    }
    sum.writes += writes;
    sum.to.set(replicatedTo, (sum.to.get(replicatedTo) ?? 0) + writes);
    if (sum.to.size > MAX_LISTS) sumUp(sum);
  }

  onConflict(keyspace: string, fact: ConflictFact, nowMs: number): void {
    let count = this.#conflicts.get(keyspace);
    if (count === undefined || nowMs - count.sinceMs >= WINDOW_MS) {
      count = { sinceMs: nowMs, told: 0, untold: count?.untold ?? 0 };
      this.#conflicts.set(keyspace, count);
    }
    if (count.told >= MAX_CONFLICTS) {
      count.untold++;
      return;
    }
    count.told++;
    const { shardIndex: shard, versions, resolution, discarded } = fact;
    const suppressed = count.untold === 0 ? {} : { suppressed: count.untold };
    count.untold = 0;
    const key = decodeKey(fact.key);
    const known = { keyspace, shard, key, versions, resolution, discarded };
    this.#emit({ type: "conflict", ...known, ...suppressed });
  }
}

/** Lists of few nodes each, instead of the many that came. */
function sumUp(sum: Replicated): void {
  const copies = Object.entries(copiesOf(sum));
  sum.to.clear();
  for (const [node, writes] of copies) sum.to.set([node as NodeId], writes);
}

function copiesOf({ to }: Replicated): Readonly<Record<string, number>> {
  const copies: Record<string, number> = {};
  for (const [nodes, writes] of to) {
    for (const node of nodes) copies[node] = (copies[node] ?? 0) + writes;
  }
  return copies;
}
