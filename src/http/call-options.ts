import type { FastifyReply, FastifyRequest } from "fastify";
import { CapstanError } from "../core/model/errors.ts";
import { type Level, parseLevel } from "../core/model/levels.ts";
import type {
  ConditionalWriteOptions,
  KeyspaceDescription,
  ReadOptions,
  Store,
} from "../core/store/api.ts";
import { SESSION_HEADER } from "./answers.ts";
import { checkIfNoneMatch, versionOfIfMatch } from "./entity-tag.ts";

interface ReadFields {
  readonly timeout_ms?: number | undefined;
}

interface WriteFields {
  readonly context?: string | undefined;
  readonly if_version?: string | undefined;
  readonly if_absent?: boolean | undefined;
  readonly ttl_ms?: number | undefined;
}

/** Headers that a write knows; a read that passed over them would not be what was asked for. */
const OF_WRITES_ALONE: Readonly<Record<string, string>> = Object.freeze({
  "if-match": "a read takes If-None-Match",
  "x-causal-context": "X-Session-Token is what makes a read show what was seen",
  "idempotency-key": "a read may be repeated without one",
});

/** What a header or field of the request says; the rest is left out, for the store's defaults. */
export function readOptionsOf(
  store: Store,
  keyspace: string,
  request: FastifyRequest,
  query: ReadFields,
  signal?: AbortSignal,
): ReadOptions {
  for (const [name, instead] of Object.entries(OF_WRITES_ALONE)) {
    if (headerOf(request, name) === undefined) continue;
    throw new CapstanError("INVALID_ARGUMENT", `the header ${name} belongs to a write: ${instead}`);
  }
  return present({
    consistency: levelOf(store, keyspace, request, "readLevels"),
    session: headerOf(request, SESSION_HEADER),
    timeoutMs: query.timeout_ms,
    signal,
  });
}

/** No signal: a write whose client has gone is seen through, for it may have begun. */
export function writeOptionsOf(
  store: Store,
  keyspace: string,
  request: FastifyRequest,
  query: ReadFields & Omit<WriteFields, "context">,
  body: WriteFields,
): ConditionalWriteOptions {
  const ifMatch = headerOf(request, "if-match");
  const ifNoneMatch = headerOf(request, "if-none-match");
  if (ifNoneMatch !== undefined) checkIfNoneMatch(ifNoneMatch);
  const ifVersion = oneOf(
    ["the header If-Match", ifMatch === undefined ? undefined : versionOfIfMatch(ifMatch)],
    ["the query's if_version", query.if_version],
    ["the body's if_version", body.if_version],
  );
  const ifAbsent = oneOf(
    ["the header If-None-Match", ifNoneMatch === undefined ? undefined : true],
    ["the query's if_absent", query.if_absent],
    ["the body's if_absent", body.if_absent],
  );
  if (ifVersion !== undefined && ifAbsent === true) {
    throw new CapstanError(
      "INVALID_ARGUMENT",
      "a write cannot ask for a version and for absence at once: send one condition",
    );
  }
  return present({
    consistency: levelOf(store, keyspace, request, "writeLevels"),
    session: headerOf(request, SESSION_HEADER),
    operationId: headerOf(request, "idempotency-key"),
    timeoutMs: query.timeout_ms,
    ttlMs: oneOf(["the query's ttl_ms", query.ttl_ms], ["the body's ttl_ms", body.ttl_ms]),
    context: oneOf(
      ["the header X-Causal-Context", headerOf(request, "x-causal-context")],
      ["the body's context", body.context],
    ),
    ifVersion,
    ifAbsent,
  });
}

/** Aborts once the client has gone, so that nobody reads for it any more. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Only the keyspace knows its levels; a word that is a level of none is refused with their list. */
function levelOf(
  store: Store,
  keyspace: string,
  request: FastifyRequest,
  levels: "readLevels" | "writeLevels",
): Level | undefined {
  const word = headerOf(request, "consistency-level");
  if (word === undefined) return undefined;
  const level = parseLevel(word);
  if (level !== undefined) return level;
  const allowed = describedKeyspace(store, keyspace)?.[levels] ?? [];
  throw new CapstanError(
    "INVALID_LEVEL",
    `Consistency-Level ${JSON.stringify(word.slice(0, 60))} is no level of ${keyspace}; ` +
      `allowed are ${allowed.join(", ")}`,
    { allowed },
  );
}

function describedKeyspace(store: Store, name: string): KeyspaceDescription | undefined {
  return store.describe().keyspaces.find((each) => each.name === name);
}

/** One thing said in several places has to be the same in all of them. */
function oneOf<T>(...said: readonly (readonly [where: string, T | undefined])[]): T | undefined {
  const [first, ...others] = said.filter(([, value]) => value !== undefined);
  const other = others.find(([, value]) => value !== first?.[1]);
  if (first === undefined || other === undefined) return first?.[1];
  throw new CapstanError("INVALID_ARGUMENT", `${first[0]} and ${other[0]} contradict each other`);
}

type Present<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Present<T>;
}
