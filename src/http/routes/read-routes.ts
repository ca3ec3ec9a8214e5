import type { FastifyInstance, FastifyReply } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { CapstanError } from "../../core/model/errors.ts";
import type { GetResult, Store } from "../../core/store/api.ts";
import { formatOf, readBody, receiptHeaders, sendBody, sendSession } from "../answers.ts";
import { disconnectSignal, headerOf, readOptionsOf } from "../call-options.ts";
import { entityTagOf, hasEntityTag } from "../entity-tag.ts";
import { BYTES_TYPE, CAPSTAN_TYPE, JSON_TYPE, negotiate } from "../media-types.ts";
import { keyOf, keyspaceOf } from "../resource-path.ts";
import { foundAnswer, missingAnswer, problemAnswer, readHeaders, readQuery } from "../schemas.ts";

export function addReadRoutes(app: FastifyInstance, store: Store, data: string): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    `${data}/:key`,
    {
      schema: {
        summary: "Read a key",
        description:
          "Answers in JSON, in the canonical encoding, or, for a value of bytes, in raw bytes.",
        tags: ["data"],
        querystring: readQuery,
        headers: readHeaders,
        response: { 200: foundAnswer, 404: missingAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const type = negotiate(request.headers.accept, [JSON_TYPE, CAPSTAN_TYPE, BYTES_TYPE]);
      const name = keyspaceOf(request.originalUrl);
      const key = keyOf(request.originalUrl);
      const signal = disconnectSignal(reply);
      const options = readOptionsOf(store, name, request, request.query, signal);
      const result = await store.keyspace(name).get(key, options);
      sendSession(reply, result);
      if (result.version !== undefined) {
        const tag = entityTagOf(result.version);
        reply.header("etag", tag);
        if (result.found && hasEntityTag(headerOf(request, "if-none-match"), tag)) {
          return sendNotModified(reply, result);
        }
      }
      if (type === BYTES_TYPE && result.found) return sendBytes(reply, result);
      const format = formatOf(type);
      return sendBody(reply, result.found ? 200 : 404, format, readBody(key, result, format));
    },
  );
}

function sendNotModified(reply: FastifyReply, { receipt }: GetResult<unknown>): FastifyReply {
  return reply.headers(receiptHeaders(receipt)).status(304).send();
}

function sendBytes(reply: FastifyReply, result: GetResult<unknown> & { found: true }) {
  if (result.conflict || !(result.value instanceof Uint8Array)) {
    const what = result.conflict ? "there are siblings" : "the value is not bytes";
    throw new CapstanError(
      "NOT_REPRESENTABLE",
      `${what}, which ${BYTES_TYPE} cannot hold (Accept: ${JSON_TYPE} or ${CAPSTAN_TYPE})`,
      { allowed: [JSON_TYPE, CAPSTAN_TYPE] },
    );
  }
  return reply
    .headers({ ...receiptHeaders(result.receipt), "x-causal-context": result.version })
    .header("content-type", BYTES_TYPE)
    .send(Buffer.from(result.value));
}
