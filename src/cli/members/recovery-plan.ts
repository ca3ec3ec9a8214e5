import type { ShardQuery } from "../../core/store/api.ts";
import type { Health, Unserved } from "../read-health.ts";
import { shardRanges } from "../shard-ranges.ts";
import { describeMissing } from "../unserved-lines.ts";

/** Shards of a keyspace that lack the same nodes. */
export interface PlannedShards {
  readonly keyspace: string;
  readonly strategy: string;
  readonly shards: readonly number[];
  readonly missing: readonly string[];
  /** Whether the node that was asked has a copy to go on with. */
  readonly isHeld: boolean;
}

/**
 * The shards that do not go on by themselves while the nodes which they lack are away, as far as the
 * node that was asked knows: of raft those without a majority, of the others those whose copy at this
 * node is being rebuilt and waits for them.
 */
export function planRecovery(
  health: Health,
  keyspace: string | undefined,
): readonly PlannedShards[] {
  return health.keyspaces
    .filter(({ name }) => keyspace === undefined || name === keyspace)
    .flatMap(({ name, strategy, unserved = [] }) => {
      const planned = new Map<string, PlannedShards & { readonly shards: number[] }>();
      for (const each of unserved.filter((lack) => needsRecovery(lack, strategy, health))) {
        const missing = missingFor(each, strategy, health);
        const key = JSON.stringify([missing, each.held_here]);
        const known = planned.get(key) ?? {
          ...{ keyspace: name, strategy, shards: [] },
          ...{ missing, isHeld: each.held_here },
        };
        planned.set(key, known);
        // A shard stands in one entry for each reason.
        known.shards.push(...each.shards.filter((shard) => !known.shards.includes(shard)));
      }
      return [...planned.values()];
    });
}

function needsRecovery(lack: Unserved, strategy: string, health: Health): boolean {
  const { reason, missing } = lack;
  if (strategy === "raft") return reason === "quorum-lost" || reason === "too-few-replicas";
  return missing.includes(health.node) && missingFor(lack, strategy, health).length > 1;
}

/** Of a leaderless shard who is there is waited for in any case: it may be rebuilt itself. */
function missingFor({ missing }: Unserved, strategy: string, health: Health): readonly string[] {
  if (strategy === "raft") return missing;
  const isThere = (id: string): boolean =>
    health.nodes.some(({ node, status }) => node === id && status === "active");
  return missing.filter((id) => id === health.node || !isThere(id));
}

/** Each shard once, of which there is a copy. */
export function shardsOf(plan: readonly PlannedShards[]): readonly ShardQuery[] {
  return plan
    .filter(({ isHeld }) => isHeld)
    .flatMap(({ keyspace, shards }) => shards.map((shard) => ({ keyspace, shard })));
}

/** What a recovery would do, and what would be lost. */
export function planLines(plan: readonly PlannedShards[], health: Health): readonly string[] {
  return plan.map((planned) => {
    const { keyspace, strategy, shards, missing, isHeld } = planned;
    const what = `${keyspace}, ${shards.length === 1 ? "shard" : "shards"} ${shardRanges(shards)}`;
    const others = describeMissing(
      missing.filter((node) => node !== health.node),
      health,
      strategy === "raft",
    );
    if (!isHeld) return `${what}: not from ${health.node}, which has no copy; without ${others}`;
    const deed =
      strategy === "raft"
        ? `${health.node} would go on alone with what it has`
        : `${health.node} would serve with what it can get, waiting for nobody else`;
    return `${what}: ${deed}; lost would be what only these had: ${others}`;
  });
}
