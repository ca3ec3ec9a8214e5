import { CapstanError } from "../core/model/errors.ts";
import { isHttpToken, TOKEN_ALLOWED } from "../core/model/http-tokens.ts";
import type { Outcome } from "../core/model/outcome.ts";
import { parseTlsOptions, type TlsOptions } from "../core/model/tls-options.ts";
import { isWellFormed } from "../core/model/utf8.ts";
import type {
  CallOptions,
  ConflictRow,
  FactPage,
  FactQuery,
  Keyspace,
  ReplicaChange,
  ReplicationRow,
  ShardMembers,
  ShardQuery,
  ShardRecovery,
} from "../core/store/api.ts";
import type { DynamicName, KeyspacesOf, RemoteKeyspaceOf } from "../core/store/typed-store.ts";
import { LazyTlsFetch } from "./lazy-tls-fetch.ts";
import { RemoteKeyspace } from "./remote-keyspace.ts";
import { wholeMs } from "./remote-writer.ts";
import { checkOperationId, checkOptions, OPTIONS, queryOf } from "./request-parts.ts";
import { ServerConnection, type ServerConnectionOptions } from "./server-connection.ts";
import { askMembers, sendChange, sendRecovery } from "./shard-members.ts";
import { toResolved } from "./wire.ts";
import { toConflicts, toReplications } from "./wire-facts.ts";

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ConnectOptions {
  /** Of a node's HTTP API, or of several: the first that works is used. */
  readonly url: string | readonly string[];
  /**
   * How long a request waits, over all its tries, whose call names no `timeoutMs` of its own; a
   * write is two: for its id, and itself. Default 30,000. Of several servers each gets its share of
   * it, so that one that takes requests and says nothing leaves time for the others.
   */
  readonly timeoutMs?: number;
  /**
   * For `https://` alone: whose certificates of servers are taken (`ca`; without it those of the system's
   * authorities), and what certificate is shown to servers that ask for one (`cert` and `key`). Each is
   * PEM text, or the path of a file (`caFile`), which is read again for connections that are made later.
   */
  readonly tls?: TlsOptions;
  /**
   * Shown to servers that ask for one (`Authorization: Bearer …`): a token, or what gives the one to show
   * now, so that it can be replaced. Over `http://` whoever is on the way reads it.
   */
  readonly token?: string | (() => string);
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

/** What `GET /api/v1/cluster/health` answers: the cluster as that node sees it. */
export interface ClusterHealth {
  readonly total_nodes: number;
  readonly healthy_nodes: number;
  readonly partitioned: boolean;
  readonly consistency_mode: string;
  readonly writable_partitions: number;
  readonly read_only_partitions: number;
  readonly node: string;
  readonly state: string;
  readonly degraded: boolean;
  readonly [field: string]: unknown;
}

/** As `StoreAdmin`, of the node that answers. */
export interface ClientAdmin {
  replications(query?: FactQuery, options?: CallOptions): Promise<FactPage<ReplicationRow>>;
  conflicts(query?: FactQuery, options?: CallOptions): Promise<FactPage<ConflictRow>>;
  members(query: ShardQuery, options?: CallOptions): Promise<ShardMembers>;
  changeReplicas(change: ReplicaChange, options?: CallOptions): Promise<ShardMembers>;
  recoverShard(recovery: ShardRecovery, options?: CallOptions): Promise<ShardMembers>;
}

/** A store reached over HTTP. */
export interface Client {
  keyspace(name: string): Keyspace;
  health(options?: CallOptions): Promise<ClusterHealth>;
  /** What became of a write whose outcome was unknown. Never says the wrong one. */
  resolve(operationId: string, options?: CallOptions): Promise<{ readonly outcome: Outcome }>;
  /** The tables of facts of the node that answers. */
  readonly admin: ClientAdmin;
  /** Refuses new calls and lets end those under way. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A client that knows the keyspaces by the configuration of the nodes: its type alone. */
export interface TypedClient<C> extends Omit<Client, "keyspace"> {
  /** For programs that learn names at run time: `client.keyspace(name as DynamicName)`. */
  keyspace(name: DynamicName): Keyspace;
  keyspace<N extends keyof KeyspacesOf<C> & string>(name: N): RemoteKeyspaceOf<C, N>;
}

/**
 * A client of one or more nodes. Connects with the first call, and keeps values whole: dates,
 * bytes and bigints come back as they went in. With the type of what `defineConfig` returned,
 * `connect<typeof config>(…)`, its keyspaces are typed as those of `openStore` are; nothing of the
 * configuration itself is needed.
 *
 * @throws CapstanError `INVALID_ARGUMENT` for a URL or option that makes no sense, and
 * `INVALID_CONFIGURATION` for `tls` that does not; files are read with the first call.
 */
export function connect(options: ConnectOptions): Client;
export function connect<C extends object>(options: ConnectOptions): TypedClient<C>;
export function connect(options: ConnectOptions): Client {
  checkNames(options);
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  checkOptions({ timeoutMs }, OPTIONS.plain);
  const urls: unknown = typeof options.url === "string" ? [options.url] : options.url;
  if (!Array.isArray(urls) || urls.length === 0)
    throw invalid(`url is ${describe(options.url)}; ${URLS}`);
  const checked = urls.map(checkUrl);
  return new HttpClient(
    new ServerConnection({ urls: checked, timeoutMs, ...callerOf(options, checked) }),
  );
}

/** What requests are sent with. */
function callerOf(
  options: ConnectOptions,
  urls: readonly string[],
): Pick<ServerConnectionOptions, "fetch" | "end"> {
  const { token } = options;
  const { fetch: bare, ...rest } = bareCallerOf(options, urls);
  if (token === undefined) return { fetch: bare, ...rest };
  const shown = (): string => checkedToken(typeof token === "function" ? token() : token);
  if (typeof token !== "function") checkedToken(token);
  const withToken: typeof fetch = async (input, init) => {
    const headers = { ...(init?.headers as object), authorization: `Bearer ${shown()}` };
    return bare(input, { ...init, headers });
  };
  return { fetch: withToken, ...rest };
}

function checkedToken(token: unknown): string {
  if (isHttpToken(token)) return token;
  throw invalid(`token has to be ${TOKEN_ALLOWED}, or a function that gives it (it is not shown)`);
}

function bareCallerOf(
  { tls, fetch: given }: ConnectOptions,
  urls: readonly string[],
): Pick<ServerConnectionOptions, "fetch" | "end"> {
  const settings = parseTlsOptions(tls, "tls", []);
  // Looked up at each call, so that a replaced global one is used.
  if (settings === undefined) return { fetch: given ?? ((input, init) => fetch(input, init)) };
  const plain = urls.find((url) => !url.startsWith("https:"));
  if (plain !== undefined) throw invalid(`tls is for https:// alone, and ${plain} has none`);
  if (given !== undefined)
    throw invalid("tls goes with no fetch of your own, which would not see it");
  const lazy = new LazyTlsFetch(settings);
  return { fetch: lazy.fetch, end: () => lazy.close() };
}

const URLS = "allowed is http(s)://host:port of a node, or a list of these";

function describe(url: unknown): string {
  if (Array.isArray(url)) return "an empty list";
  return url === undefined ? "missing" : String(url);
}

const OPTION_NAMES: readonly string[] = Object.freeze([
  "url",
  "timeoutMs",
  "tls",
  "token",
  "fetch",
]);

function checkNames(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw invalid(`connect needs an object with a url; ${URLS}`);
  }
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  const { fetch: given } = options as { readonly fetch?: unknown };
  if (given !== undefined && typeof given !== "function") {
    throw invalid(`fetch has to be a function, not of type ${typeof given}`);
  }
  if (unknown === undefined) return;
  throw invalid(`there is no option "${unknown}" here; there are: ${OPTION_NAMES.join(", ")}`);
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}

class HttpClient implements Client {
  readonly admin: ClientAdmin;
  readonly #connection: ServerConnection;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
    this.admin = Object.freeze({
      replications: async (query?: FactQuery, options?: CallOptions) =>
        toReplications(await this.#facts("replications", query, options)),
      conflicts: async (query?: FactQuery, options?: CallOptions) =>
        toConflicts(await this.#facts("conflicts", query, options)),
      members: (query: ShardQuery, options?: CallOptions) => askMembers(connection, query, options),
      changeReplicas: (change: ReplicaChange, options?: CallOptions) =>
        sendChange(connection, change, options),
      recoverShard: (recovery: ShardRecovery, options?: CallOptions) =>
        sendRecovery(connection, recovery, options),
    } satisfies ClientAdmin);
  }

  keyspace(name: string): Keyspace {
    if (typeof name === "string" && isWellFormed(name) && !["", ".", ".."].includes(name)) {
      return new RemoteKeyspace(this.#connection, name);
    }
    throw new CapstanError("INVALID_ARGUMENT", `${JSON.stringify(name)} is no keyspace's name`);
  }

  async health(options?: CallOptions): Promise<ClusterHealth> {
    checkOptions(options, OPTIONS.plain);
    const request = { method: "GET", path: "/api/v1/cluster/health", headers: {} } as const;
    const { body } = await this.#connection.read(request, options ?? {});
    return body as ClusterHealth;
  }

  async resolve(
    operationId: string,
    options?: CallOptions,
  ): Promise<{ readonly outcome: Outcome }> {
    checkOptions(options, OPTIONS.plain);
    checkOperationId(operationId);
    const query = queryOf({ timeout_ms: wholeMs(options?.timeoutMs) });
    const path = `/api/v1/operations/${encodeURIComponent(operationId)}/resolve${query}`;
    const request = { method: "POST", path, headers: {} } as const;
    return toResolved((await this.#connection.read(request, options ?? {})).body);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #facts(table: string, query: FactQuery = {}, options?: CallOptions): Promise<unknown> {
    checkOptions(options, OPTIONS.plain);
    checkOptions(query, OPTIONS.facts);
    const { keyspace, key, before, limit } = query;
    const path = `/api/v1/cluster/${table}${queryOf({ keyspace, key, before, limit })}`;
    const request = { method: "GET", path, headers: {} } as const;
    return (await this.#connection.read(request, options ?? {})).body;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkUrl(text: unknown): string {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== undefined && (url.username !== "" || url.password !== "")) {
    // The words are not shown: they hold a password.
    throw invalid(`the url of ${url.host} has a user or password, and servers take none`);
  }
  if (url !== undefined && isHttp && url.search === "" && url.hash === "") {
    return url.href.replace(/\/+$/, "");
  }
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `${typeof text === "string" ? JSON.stringify(text) : String(text)} is no URL of a server; allowed is http(s)://host:port`,
  );
}
