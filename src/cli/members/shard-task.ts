import type { Client } from "../../client/index.ts";
import type { ShardMembers, ShardQuery } from "../../core/store/api.ts";

export interface CallLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** What is done about one shard. */
export type Deed = (client: Client, query: ShardQuery, limits: CallLimits) => Promise<ShardMembers>;

export function linesOf({
  keyspace,
  shard,
  replicas,
  learners,
  leader,
  changingTo,
}: ShardMembers): readonly string[] {
  return [
    `shard ${shard} of ${keyspace}: ${replicas.join(", ")}` +
      (leader === undefined ? "" : `; ${leader} leads`),
    ...(learners.length === 0 ? [] : [`being given the data: ${learners.join(", ")}`]),
    ...(changingTo === undefined ? [] : [`changing to: ${changingTo.join(", ")}`]),
  ];
}
