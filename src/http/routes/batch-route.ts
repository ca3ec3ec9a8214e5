import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Outcome } from "../../core/model/outcome.ts";
import type { BatchResult, BatchWrite, ManyResult, Store, Written } from "../../core/store/api.ts";
import { formatOf, SESSION_HEADER, sendBody, writtenBody } from "../answers.ts";
import { batchAnswer, batchBody, type WriteInBody } from "../batch-schemas.ts";
import { decodeCanonical } from "../body-parsers.ts";
import { writeOptionsOf } from "../call-options.ts";
import { CAPSTAN_TYPE, JSON_TYPE, negotiate } from "../media-types.ts";
import { faultOf, OUTCOME_HEADER, problemOf } from "../problem.ts";
import { keyspaceOf } from "../resource-path.ts";
import { problemAnswer, writeHeaders, writeQuery } from "../schemas.ts";

const OK = 200;
/** Not every write of the batch was done: RFC 4918, section 11.1. */
const MULTI_STATUS = 207;
/** In `X-Outcome`, where the writes do not share one: the body has that of each. */
const PER_KEY = "per-key";

/** Several writes in one request to the keyspace at `base`. */
export function addBatchRoute(app: FastifyInstance, store: Store, base: string): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    `${base}/batch`,
    {
      schema: {
        summary: "Write several keys: all or none, or each on its own",
        description: "Which of the two, `keyspaces` of the cluster's health says as `batch`.",
        tags: ["data"],
        querystring: writeQuery,
        headers: writeHeaders,
        body: batchBody,
        response: { 200: batchAnswer, 207: batchAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const format = formatOf(negotiate(request.headers.accept, [JSON_TYPE, CAPSTAN_TYPE]));
      const name = keyspaceOf(request.originalUrl);
      const { writes: given, ...fields } = request.body;
      const { session, ...options } = writeOptionsOf(store, name, request, request.query, fields);
      const writes = writesOf(given as readonly WriteInBody[], request);
      const keyspace = store.keyspace(name);
      let results: BatchResult;
      if (session === undefined) {
        results = await keyspace.batch(writes, options);
      } else {
        // What writes in several shards have seen is joined there.
        const ofSession = keyspace.withSession(session);
        results = await ofSession.batch(writes, options);
        reply.header(SESSION_HEADER, ofSession.token);
      }
      reply.header(OUTCOME_HEADER, outcomeOf(results));
      const status = results.every(({ ok }) => ok) ? OK : MULTI_STATUS;
      return sendBody(reply, status, format, { results: results.map(resultBody) });
    },
  );
}

function writesOf(given: readonly WriteInBody[], request: FastifyRequest): readonly BatchWrite[] {
  const isCanonical = request.headers["content-type"]?.toLowerCase().startsWith(CAPSTAN_TYPE);
  return given.map((write, index) => {
    const { operation_id: operationId } = write;
    const id = operationId === undefined ? {} : { operationId };
    if (!("put" in write)) return { delete: write.delete, ...id };
    const value =
      isCanonical === true
        ? decodeCanonical(write.value, `the body's writes[${index}].value`)
        : write.value;
    return { put: write.put, value, ...id };
  });
}

function resultBody(each: ManyResult<Written>): object {
  const { key } = each;
  if (each.ok) return { ok: true, outcome: "applied", ...writtenBody(key, each.result) };
  const problem = problemOf(faultOf(each.error));
  return { key, ok: false, outcome: problem.outcome, problem };
}

function outcomeOf(results: BatchResult): Outcome | typeof PER_KEY {
  const [first = "applied", ...others] = new Set(
    results.map((each) => (each.ok ? "applied" : faultOf(each.error).outcome)),
  );
  return others.length === 0 ? first : PER_KEY;
}
