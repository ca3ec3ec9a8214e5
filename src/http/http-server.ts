import { STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type FastifyInstance, type FastifyServerOptions, fastify } from "fastify";
import { describeValue } from "../core/model/configuration-problems.ts";
import { CapstanError } from "../core/model/errors.ts";
import type { Store } from "../core/store/api.ts";
import { SystemEnvironment } from "../core/store/system-environment.ts";
import type { TlsIdentity } from "../tls/tls-identity.ts";
import { apiDescriber } from "./api-description.ts";
import { addBodyParsers } from "./body-parsers.ts";
import { headerOf } from "./call-options.ts";
import { inputValidator } from "./check-input.ts";
import { ConnectionTracker } from "./connection-tracker.ts";
import { HostGuard } from "./host-guard.ts";
import type { HttpOptions } from "./http-options.ts";
import { type ResolvedHttpOptions, resolveHttpOptions } from "./http-options.ts";
import { missingContentType } from "./media-types.ts";
import { OpenStreams } from "./open-streams.ts";
import { faultOf, rawProblem, sendProblem } from "./problem.ts";
import { addRequestGuards } from "./request-guards.ts";
import { API, DATA, KEYSPACES, OPERATIONS, routerPath } from "./resource-path.ts";
import { addBatchRoute } from "./routes/batch-route.ts";
import { addClusterRoutes } from "./routes/cluster-routes.ts";
import { addFactRoutes } from "./routes/fact-routes.ts";
import { addMemberRoutes } from "./routes/member-routes.ts";
import { addKeyspaceOperationRoutes, addResolveRoute } from "./routes/operation-routes.ts";
import { addReadRoutes } from "./routes/read-routes.ts";
import { addScanRoute } from "./routes/scan-route.ts";
import { addWatchRoute, type WatchRouteOptions } from "./routes/watch-route.ts";
import { addWriteRoutes } from "./routes/write-routes.ts";
import { loadHttpIdentity, tlsServerFactory } from "./tls-server.ts";
import { addTokenGuard } from "./token-guard.ts";
import { TokenKeeper } from "./token-keeper.ts";

const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 1_000;
/** How often the time of a request a client may take that reads nothing of its answer. */
const UNREAD_PATIENCE = 3;

/** Statuses for what is no request; 400 for the rest. */
const BROKEN_REQUESTS: Readonly<Record<string, readonly [status: number, detail: string]>> =
  Object.freeze({
    HPE_HEADER_OVERFLOW: [431, `the request's headers are larger than ${MAX_HEADER_BYTES} bytes`],
    HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the chunk extensions of the body are too large"],
    ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not arrive in time"],
  });

/** A node's HTTP API, listening. */
export interface HttpServer {
  /** `http://host:port`, or `https://host:port`. */
  readonly url: string;
  readonly port: number;
  /** Ends what has not begun, lets end what has. Idempotent. */
  close(): Promise<void>;
}

/**
 * Answers HTTP for one node's store. The store stays the caller's: close the server first.
 *
 * @throws CapstanError `INVALID_ARGUMENT` for what is no store, `INVALID_CONFIGURATION`, or
 * `PORT_IN_USE` where the address cannot be listened on.
 */
export async function serveHttp(store: Store, options: HttpOptions): Promise<HttpServer> {
  checkStore(store);
  const resolved = resolveHttpOptions(options);
  const identity = await loadHttpIdentity(resolved.tls, resolved.observer);
  const tokens = await loadTokens(resolved);
  const app = createApp(resolved, identity);
  const connections = new ConnectionTracker(
    app.server,
    identity !== undefined,
    resolved.maxConnections,
  );
  app.server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) =>
    answerBrokenRequest(error, socket, connections),
  );
  addBodyParsers(app);
  addRequestGuards(app, new HostGuard(resolved.host, resolved.allowedHosts), connections);
  if (tokens !== undefined) addTokenGuard(app, tokens);
  addFaultAnswers(app, resolved);
  const streams = new OpenStreams(resolved.maxWatches);
  addRoutes(app, store, resolved, { streams, connections });
  addApiDescription(app, store, resolved, { streams, connections });
  await listen(app, resolved);
  const { port } = app.server.address() as AddressInfo;
  const host = resolved.host.includes(":") ? `[${resolved.host}]` : resolved.host;
  return {
    url: `${identity === undefined ? "http" : "https"}://${host}:${port}`,
    port,
    close: async () => {
      connections.beginClosing();
      streams.close();
      await app.close();
    },
  };
}

async function loadTokens({
  tokens,
  observer,
}: ResolvedHttpOptions): Promise<TokenKeeper | undefined> {
  if (tokens === undefined) return undefined;
  return TokenKeeper.load(tokens, new SystemEnvironment(), observer);
}

/** What every request needs of it: without them each would fail as a fault of the server's own. */
function checkStore(store: unknown): void {
  const given = store as Partial<Store> | null | undefined;
  const isStore = typeof given?.keyspace === "function" && typeof given.describe === "function";
  if (isStore) return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `the store has to be what openStore gives, not ${describeValue(store)}`,
    { details: { option: "store" } },
  );
}

type WatchingParts = Pick<WatchRouteOptions, "streams" | "connections">;

/** Every answer is sent as text or bytes: nothing is left to be serialised by schema. */
const serializer = () => JSON.stringify;

/**
 * Without them Fastify loads compilers of its own, a hundred files, of which nothing is used. Its
 * types know only of those for JSON Schema.
 */
const COMPILERS = Object.freeze({
  compilersFactory: { buildValidator: () => inputValidator, buildSerializer: () => serializer },
}) as unknown as NonNullable<FastifyServerOptions["schemaController"]>;

function createApp(options: ResolvedHttpOptions, identity?: TlsIdentity): FastifyInstance {
  const { keepAliveTimeoutMs: keepAliveTimeout, requestTimeoutMs: requestTimeout } = options;
  // What happens then is the tracker's: see `ConnectionTracker`.
  const connectionTimeout = UNREAD_PATIENCE * requestTimeout;
  const headersTimeout = Math.min(HEADERS_TIMEOUT_MS, requestTimeout);
  const http = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, requestTimeout),
  };
  const timeouts = { keepAliveTimeout, requestTimeout, timeout: connectionTimeout };
  const https = { ...http, handshakeTimeout: headersTimeout };
  const app: FastifyInstance = fastify({
    bodyLimit: options.maxBodyBytes,
    ...{ keepAliveTimeout, requestTimeout, connectionTimeout },
    return503OnClosing: false,
    ...(identity === undefined
      ? { http }
      : { serverFactory: tlsServerFactory(identity, https, timeouts) }),
    rewriteUrl: (request) => routerPath(request.url ?? "", request.method),
    frameworkErrors: (error, request, reply) => {
      void sendProblem(request, reply, faultOf(error));
    },
    schemaController: COMPILERS,
    // Ours is set once there is a tracker to ask; Fastify's own would answer first.
    clientErrorHandler: () => undefined,
  });
  app.setValidatorCompiler(inputValidator);
  app.setSerializerCompiler(serializer);
  return app;
}

function addRoutes(
  app: FastifyInstance,
  store: Store,
  { insecure, tokens, watchHeartbeatMs: heartbeatMs }: ResolvedHttpOptions,
  watching: WatchingParts,
): void {
  for (const base of [API, `${KEYSPACES}/:keyspace`]) {
    const data = base === API ? DATA : `${base}/data`;
    addReadRoutes(app, store, data);
    addWriteRoutes(app, store, data);
    addScanRoute(app, store, data);
    addBatchRoute(app, store, base);
    addWatchRoute(app, base, { store, ...watching, heartbeatMs });
    addKeyspaceOperationRoutes(app, store, base);
  }
  addResolveRoute(app, store, OPERATIONS);
  addClusterRoutes(app, store, { insecure, asksForTokens: tokens !== undefined });
  addFactRoutes(app, store);
  addMemberRoutes(app, store);
}

function addApiDescription(
  app: FastifyInstance,
  store: Store,
  options: ResolvedHttpOptions,
  watching: WatchingParts,
): void {
  const describeApi = apiDescriber(
    () => createApp(options),
    (described) => addRoutes(described, store, options, watching),
  );
  app.get(`${API}/openapi.json`, describeApi);
}

function addFaultAnswers(app: FastifyInstance, options: ResolvedHttpOptions): void {
  app.setErrorHandler((error, request, reply) => {
    const fault = faultOf(error, headerOf(request, "idempotency-key"));
    if (fault.code === "INTERNAL") {
      options.observer.log("error", "an HTTP request failed", { error, route: request.url });
    }
    const hasNoType = request.headers["content-type"] === undefined;
    const isForType = fault.code === "UNSUPPORTED_MEDIA_TYPE" && hasNoType;
    return sendProblem(request, reply, isForType ? missingContentType() : fault);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      request,
      reply,
      new CapstanError(
        "NOT_FOUND",
        `there is no ${request.method} ${request.originalUrl.slice(0, 100)}; ` +
          `${API}/openapi.json has what there is`,
      ),
    ),
  );
}

async function listen(app: FastifyInstance, options: ResolvedHttpOptions): Promise<void> {
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    await app.close();
    const reason = (cause as NodeJS.ErrnoException).code ?? "an unknown fault";
    throw new CapstanError(
      "PORT_IN_USE",
      `${options.host}:${options.port} cannot be listened on (${reason})`,
      { cause },
    );
  }
}

/**
 * Answers what the parser refuses. Not where an earlier request of the connection waits for its
 * own answer: the client would take this one for it, and believe that its write was not applied.
 */
function answerBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: ConnectionTracker,
): void {
  if (connections.owesAnswer(socket)) {
    connections.endAfterAnswers(socket);
    return;
  }
  // A second answer to a request would be taken for that of the next one.
  if (connections.hasAnsweredEarly(socket)) {
    socket.destroy();
    return;
  }
  // Who does not speak TLS, or not as this server does, would not read an answer either.
  const isOfTls = error.code?.startsWith("ERR_SSL_") || error.code?.startsWith("ERR_TLS_");
  if (error.code === "ECONNRESET" || isOfTls === true || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = BROKEN_REQUESTS[error.code ?? ""] ?? [400, "this is no HTTP request"];
  socket.end(rawProblem(status, STATUS_CODES[status] ?? "", detail));
}
