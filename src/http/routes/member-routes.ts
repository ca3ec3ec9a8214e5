import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ShardMembers, Store } from "../../core/store/api.ts";
import { disconnectSignal } from "../call-options.ts";
import { API } from "../resource-path.ts";
import {
  membersAnswer,
  membersBody,
  membersQuery,
  problemAnswer,
  recoveryBody,
} from "../schemas.ts";

/** Who holds a shard, and the change of that. */
export function addMemberRoutes(app: FastifyInstance, store: Store): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const response = { 200: membersAnswer, default: problemAnswer };
  typed.get(
    `${API}/cluster/members`,
    {
      schema: {
        summary: "Who holds a shard of a raft keyspace, as its leader knows",
        tags: ["cluster"],
        querystring: membersQuery,
        response,
      },
    },
    async ({ query }, reply) => {
      const { keyspace, shard, timeout_ms: timeoutMs } = query;
      const options = optionsOf(disconnectSignal(reply), timeoutMs);
      return bodyOf(await store.admin.members({ keyspace, shard }, options));
    },
  );
  typed.put(
    `${API}/cluster/members`,
    {
      schema: {
        summary: "Moves a shard of a raft keyspace; answers when these nodes alone hold it",
        description: "Asking for the same replicas again is the same change.",
        tags: ["cluster"],
        querystring: membersQuery,
        body: membersBody,
        response,
      },
    },
    async ({ query, body }, reply) => {
      const { keyspace, shard, timeout_ms: timeoutMs } = query;
      const options = optionsOf(disconnectSignal(reply), timeoutMs);
      const change = { keyspace, shard, replicas: body.replicas };
      return bodyOf(await store.admin.changeReplicas(change, options));
    },
  );
  typed.post(
    `${API}/cluster/members/recover`,
    {
      schema: {
        summary: "Goes on with what this node alone has of a raft shard; the rest of it is lost",
        description: "Where a majority of its replicas is gone for good.",
        tags: ["cluster"],
        querystring: membersQuery,
        body: recoveryBody,
        response,
      },
    },
    async ({ query, body }, reply) => {
      const { keyspace, shard, timeout_ms: timeoutMs } = query;
      const options = optionsOf(disconnectSignal(reply), timeoutMs);
      const recovery = { keyspace, shard, acceptLoss: body.accept_loss };
      return bodyOf(await store.admin.recoverShard(recovery, options));
    },
  );
}

function optionsOf(signal: AbortSignal, timeoutMs: number | undefined) {
  return { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function bodyOf({ keyspace, shard, replicas, learners, leader, changingTo }: ShardMembers) {
  return {
    ...{ keyspace, shard, leader, replicas: [...replicas], learners: [...learners] },
    ...(changingTo === undefined ? {} : { changing_to: [...changingTo] }),
  };
}
