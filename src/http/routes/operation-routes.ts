import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Store } from "../../core/store/api.ts";
import { disconnectSignal } from "../call-options.ts";
import { keyspaceOf, operationIdOf } from "../resource-path.ts";
import {
  noBody,
  operationIdsAnswer,
  operationIdsQuery,
  problemAnswer,
  readQuery,
  resolveAnswer,
} from "../schemas.ts";

/** Ids for the writes of the keyspace at `base`. */
export function addKeyspaceOperationRoutes(app: FastifyInstance, store: Store, base: string): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    `${base}/operation-ids`,
    {
      schema: {
        summary: "An id for one write, to be sent as its Idempotency-Key",
        tags: ["operations"],
        querystring: operationIdsQuery,
        body: noBody,
        response: { 200: operationIdsAnswer, default: problemAnswer },
      },
    },
    async (request) => {
      const keyspace = keyspaceOf(request.originalUrl);
      const first = store.operationId(keyspace);
      const others = Array.from({ length: (request.query.count ?? 1) - 1 }, () =>
        store.operationId(keyspace),
      );
      return { operation_id: first, operation_ids: [first, ...others] };
    },
  );
}

export function addResolveRoute(app: FastifyInstance, store: Store, operations: string): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    `${operations}/:id/resolve`,
    {
      schema: {
        summary: "What became of a write whose outcome was unknown",
        description: "POST, because the answer may have to be made final first.",
        tags: ["operations"],
        querystring: readQuery,
        body: noBody,
        response: { 200: resolveAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const operationId = operationIdOf(request.originalUrl);
      const timeoutMs = request.query.timeout_ms;
      const { outcome } = await store.resolve(operationId, {
        signal: disconnectSignal(reply),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      return { operation_id: operationId, outcome };
    },
  );
}
