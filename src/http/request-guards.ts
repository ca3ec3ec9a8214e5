import type { FastifyInstance, FastifyRequest } from "fastify";
import { CapstanError } from "../core/model/errors.ts";
import type { ConnectionTracker } from "./connection-tracker.ts";
import type { HostGuard } from "./host-guard.ts";
import { checkContentType } from "./media-types.ts";
import { isWrite } from "./problem.ts";
import { parseQuery } from "./query.ts";
import { authorityOf, queryOf } from "./resource-path.ts";

/**
 * Headers that mean nothing when they stand twice. Node joins some and drops others; either way
 * somebody on the way may have read the other one.
 */
const SINGLE_HEADERS: readonly string[] = [
  "authorization",
  "consistency-level",
  "content-encoding",
  "content-type",
  "host",
  "idempotency-key",
  "last-event-id",
  "if-match",
  "if-none-match",
  "origin",
  "x-causal-context",
  "x-session-token",
];

/** What is checked of every request, also of one for a route that is not there. */
export function addRequestGuards(
  app: FastifyInstance,
  hosts: HostGuard,
  connections: ConnectionTracker,
): void {
  app.addHook("onRequest", async (request, reply) => {
    if (connections.closing) {
      reply.header("connection", "close");
      throw new CapstanError("STORE_CLOSED", "this node is shutting down");
    }
    checkHosts(request, hosts);
    checkHeaders(request);
    if (!isWrite(request.method)) return;
    checkContentType(request.headers["content-type"], request.headers["content-encoding"]);
    hosts.checkOrigin(request.headers.origin);
  });
  app.addHook("preValidation", async (request) => {
    request.query = parseQuery(queryOf(request.originalUrl));
  });
  app.addHook("preHandler", async (request) => connections.begin(request.raw));
  app.addHook("onSend", async (_request, reply) => {
    if (connections.closing) reply.header("connection", "close");
  });
}

/** A target in absolute form stands above the `Host`, so that both have to be ours. */
function checkHosts(request: FastifyRequest, hosts: HostGuard): void {
  hosts.checkHost(request.headers.host);
  const authority = authorityOf(request.originalUrl);
  if (authority !== undefined) hosts.checkHost(authority);
}

function checkHeaders(request: FastifyRequest): void {
  const seen = new Set<string>();
  const { rawHeaders } = request.raw;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    if (seen.has(name) && SINGLE_HEADERS.includes(name)) {
      throw new CapstanError("INVALID_ARGUMENT", `the header ${name} stands twice`);
    }
    seen.add(name);
  }
}
