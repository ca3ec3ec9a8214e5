import type {
  CallOptions,
  ReplicaChange,
  ShardMembers,
  ShardQuery,
  ShardRecovery,
} from "../core/store/api.ts";
import { wholeMs } from "./remote-writer.ts";
import { checkOptions, OPTIONS, queryOf } from "./request-parts.ts";
import { CAPSTAN_TYPE } from "./server-call.ts";
import type { ServerConnection } from "./server-connection.ts";
import { encodeBody } from "./wire.ts";
import { toMembers } from "./wire-facts.ts";

/** Who holds a shard. */
export async function askMembers(
  connection: ServerConnection,
  query: ShardQuery,
  options?: CallOptions,
): Promise<ShardMembers> {
  checkOptions(options, OPTIONS.plain);
  checkOptions(query, OPTIONS.members);
  const request = { method: "GET", path: pathOf(query, options), headers: {} } as const;
  return toMembers((await connection.read(request, options ?? {})).body);
}

/** Who shall hold it. Sent again only where it was refused: it has no operation id. */
export async function sendChange(
  connection: ServerConnection,
  change: ReplicaChange,
  options?: CallOptions,
): Promise<ShardMembers> {
  checkOptions(options, OPTIONS.plain);
  checkOptions(change, OPTIONS.change);
  const body = encodeBody({ replicas: change.replicas });
  const headers = { "content-type": CAPSTAN_TYPE };
  const request = { method: "PUT", path: pathOf(change, options), headers, body } as const;
  return toMembers((await connection.write(request, options ?? {})).body);
}

/** The node that answers goes on alone with the shard. Sent again only where it was refused. */
export async function sendRecovery(
  connection: ServerConnection,
  recovery: ShardRecovery,
  options?: CallOptions,
): Promise<ShardMembers> {
  checkOptions(options, OPTIONS.plain);
  checkOptions(recovery, OPTIONS.recovery);
  const body = encodeBody({ accept_loss: recovery.acceptLoss });
  const headers = { "content-type": CAPSTAN_TYPE };
  const path = pathOf(recovery, options).replace("/members", "/members/recover");
  const request = { method: "POST", path, headers, body } as const;
  return toMembers((await connection.write(request, options ?? {})).body);
}

function pathOf({ keyspace, shard }: ShardQuery, options?: CallOptions): string {
  const query = queryOf({ keyspace, shard, timeout_ms: wholeMs(options?.timeoutMs) });
  return `/api/v1/cluster/members${query}`;
}
