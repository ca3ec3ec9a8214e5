import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CapstanError } from "../core/model/errors.ts";
import type { HttpRole } from "../core/model/http-tokens.ts";
import { isWrite } from "./problem.ts";
import { API } from "./resource-path.ts";
import { mayDo, type TokenKeeper } from "./token-keeper.ts";

/** Anybody may ask for it; who shows no token is told less. */
const OPEN_ROUTE = `${API}/cluster/health`;
const OPERATORS = `${API}/cluster/`;
const BEARER = /^bearer +([^ ]+) *$/i;

/**
 * Refuses who shows no token, or one that may not do what is asked, before anything of the body is read.
 * The refusal names no token.
 */
export function addTokenGuard(app: FastifyInstance, tokens: TokenKeeper): void {
  app.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.url === OPEN_ROUTE && !hasToken(request)) return;
    const needed = roleFor(request);
    const role = checkedRole(request, reply, tokens);
    if (mayDo(role, needed)) return;
    throw new CapstanError(
      "FORBIDDEN",
      `${request.method} needs a token of the role ${needed} here, and this one has the role ${role}`,
      { details: { needed, role } },
    );
  });
}

export function hasToken(request: FastifyRequest): boolean {
  return request.headers.authorization !== undefined;
}

function checkedRole(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  tokens: TokenKeeper,
): HttpRole {
  const { authorization } = headers;
  const token = BEARER.exec(authorization ?? "")?.[1];
  const role = token === undefined ? undefined : tokens.roleOf(token);
  if (role !== undefined) return role;
  // RFC 6750 §3: who has shown nothing is told what to show, and nothing of an error.
  reply.header(
    "www-authenticate",
    authorization === undefined ? "Bearer" : 'Bearer error="invalid_token"',
  );
  throw new CapstanError(
    "UNAUTHENTICATED",
    authorization === undefined
      ? "this node asks for a token: Authorization: Bearer …"
      : "the Authorization is no bearer token that this node knows",
  );
}

/** What is not there asks for as much as what is: nobody learns which routes there are. */
function roleFor({ method, routeOptions }: FastifyRequest): HttpRole {
  if (!isWrite(method)) return "read";
  return routeOptions.url?.startsWith(OPERATORS) === true ? "admin" : "write";
}
