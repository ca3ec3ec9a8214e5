import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ConditionalWritten, Store, Written } from "../../core/store/api.ts";
import {
  type BodyFormat,
  formatOf,
  readBody,
  sendBody,
  sendSession,
  writtenBody,
} from "../answers.ts";
import { writeOptionsOf } from "../call-options.ts";
import { entityTagOf } from "../entity-tag.ts";
import { CAPSTAN_TYPE, JSON_TYPE, negotiate, refuseBytes } from "../media-types.ts";
import { OUTCOME_HEADER } from "../problem.ts";
import { keyOf, keyOfOperations, keyspaceOf, OPERATIONS_OF_KEY } from "../resource-path.ts";
import {
  deleteBody,
  mismatchAnswer,
  operationBody,
  problemAnswer,
  putBody,
  updateBody,
  writeHeaders,
  writeQuery,
  writtenAnswer,
} from "../schemas.ts";

const RESPONSES = Object.freeze({
  200: writtenAnswer,
  412: mismatchAnswer,
  default: problemAnswer,
});

const COMMON = Object.freeze({
  tags: ["data"],
  querystring: writeQuery,
  headers: writeHeaders,
  response: RESPONSES,
});

export function addWriteRoutes(app: FastifyInstance, store: Store, data: string): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  typed.put(
    `${data}/:key`,
    { schema: { ...COMMON, summary: "Write a key", body: putBody } },
    async (request, reply) => {
      const { value, ...fields } = request.body;
      const target = targetOf(request);
      const options = writeOptionsOf(store, target.keyspace, request, request.query, fields);
      const written = store.keyspace(target.keyspace).put(target.key, value, options);
      return answer(reply, target, await written);
    },
  );
  typed.delete(
    `${data}/:key`,
    { schema: { ...COMMON, summary: "Delete a key", body: deleteBody } },
    async (request, reply) => {
      const target = targetOf(request);
      const body = request.body ?? {};
      const options = writeOptionsOf(store, target.keyspace, request, request.query, body);
      const written = store.keyspace(target.keyspace).delete(target.key, options);
      return answer(reply, target, await written);
    },
  );
  typed.post(
    `${data}/:key`,
    { schema: { ...COMMON, summary: "Apply an operation of the resolver", body: updateBody } },
    async (request, reply) => {
      const { operation, ...fields } = request.body;
      const target = targetOf(request);
      const options = writeOptionsOf(store, target.keyspace, request, request.query, fields);
      const written = store.keyspace(target.keyspace).update(target.key, operation, options);
      return answer(reply, target, await written);
    },
  );
  typed.post(
    `${data}/:key${OPERATIONS_OF_KEY}`,
    {
      schema: {
        ...COMMON,
        summary: "Apply the operation of the resolver that is the body",
        body: operationBody,
      },
    },
    async (request, reply) => {
      refuseBytes(request.headers["content-type"]);
      const key = keyOfOperations(request.originalUrl);
      const target = { ...formatAndKeyspaceOf(request), key };
      const options = writeOptionsOf(store, target.keyspace, request, request.query, {});
      const written = store.keyspace(target.keyspace).update(key, request.body, options);
      return answer(reply, target, await written);
    },
  );
}

interface Target {
  readonly keyspace: string;
  readonly key: string;
  readonly format: BodyFormat;
}

/** All that can be refused is, before the store is asked. */
function targetOf(request: FastifyRequest): Target {
  return { ...formatAndKeyspaceOf(request), key: keyOf(request.originalUrl) };
}

function formatAndKeyspaceOf(request: FastifyRequest): Omit<Target, "key"> {
  return {
    format: formatOf(negotiate(request.headers.accept, [JSON_TYPE, CAPSTAN_TYPE])),
    keyspace: keyspaceOf(request.originalUrl),
  };
}

function answer(
  reply: FastifyReply,
  { key, format }: Target,
  written: Written | ConditionalWritten<unknown>,
): FastifyReply {
  sendSession(reply, written);
  if ("ok" in written && !written.ok) {
    const current = currentBody(key, written, format);
    reply.header(OUTCOME_HEADER, "not-applied");
    return sendBody(reply, 412, format, { key, reason: written.reason, current });
  }
  reply.header(OUTCOME_HEADER, "applied").header("etag", entityTagOf(written.version));
  return sendBody(reply, 200, format, writtenBody(key, written));
}

/** What is there instead; its value is left out where JSON cannot hold it: the refusal counts. */
function currentBody(
  key: string,
  { current }: ConditionalWritten<unknown> & { ok: false },
  format: BodyFormat,
): object {
  try {
    return readBody(key, current, format);
  } catch {
    return readBody(key, current, { ...format, value: () => undefined });
  }
}
