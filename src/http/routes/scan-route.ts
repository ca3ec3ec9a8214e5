import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ScanEntryResult, ScanOptions, Store } from "../../core/store/api.ts";
import { type BodyFormat, entryBody, formatOf, sendBody } from "../answers.ts";
import { disconnectSignal, readOptionsOf } from "../call-options.ts";
import { CAPSTAN_TYPE, JSON_TYPE, negotiate } from "../media-types.ts";
import { keyspaceOf } from "../resource-path.ts";
import {
  DEFAULT_SCAN_LIMIT,
  problemAnswer,
  readHeaders,
  scanAnswer,
  scanQuery,
} from "../schemas.ts";

/** A page ends behind the entry that takes it over this: pages stay small, whatever the values. */
const PAGE_BYTES = 4 * 1024 * 1024;

export function addScanRoute(app: FastifyInstance, store: Store, data: string): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    data,
    {
      schema: {
        summary: "Read a range of keys, a page at a time",
        description: "In the order of the keys' bytes. Go on with the page's `cursor`.",
        tags: ["data"],
        querystring: scanQuery,
        headers: readHeaders,
        response: { 200: scanAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const format = formatOf(negotiate(request.headers.accept, [JSON_TYPE, CAPSTAN_TYPE]));
      const name = keyspaceOf(request.originalUrl);
      const { prefix, from, to, cursor, limit = DEFAULT_SCAN_LIMIT } = request.query;
      const options: ScanOptions = {
        ...readOptionsOf(store, name, request, request.query, disconnectSignal(reply)),
        ...(prefix === undefined ? {} : { prefix }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(cursor === undefined ? {} : { cursor }),
        limit,
      };
      const page = await readPage(store.keyspace(name).scan(options), limit, format);
      return sendBody(reply, 200, format, page);
    },
  );
}

/** `more` only says that the page is full: an empty page may follow. */
async function readPage(
  scan: AsyncIterable<ScanEntryResult<unknown>>,
  limit: number,
  format: BodyFormat,
): Promise<object> {
  const entries: object[] = [];
  let cursor: string | undefined;
  let bytes = 0;
  let isFull = false;
  for await (const entry of scan) {
    const body = entryBody(entry, format);
    entries.push(body);
    cursor = entry.cursor;
    bytes += format.encode(body).length;
    isFull = entries.length >= limit || bytes >= PAGE_BYTES;
    if (isFull) break;
  }
  return { entries, more: isFull, ...(isFull && cursor !== undefined ? { cursor } : {}) };
}
