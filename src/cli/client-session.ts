import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Client, type ConnectOptions, connect } from "../client/index.ts";
import { isHttpToken, TOKEN_ALLOWED } from "../core/model/http-tokens.ts";
import type { Level } from "../core/model/levels.ts";
import type { CallOptions, Keyspace } from "../core/store/api.ts";
import { durationOption, levelOption, urlOption } from "./parse-options.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_URL = "http://127.0.0.1:8401";

/** What every command that talks to a node understands. */
export interface ServerOptions {
  readonly url?: string;
  readonly json?: boolean;
  readonly timeout?: number;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokenFile?: string;
}

/** With what a node is spoken to beside its address. */
export type Access = Pick<ConnectOptions, "tls" | "token">;

export interface KeyspaceOptions extends ServerOptions {
  readonly keyspace: string;
  readonly consistency?: Level;
}

export function addServerOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--url <url>",
        `HTTP address of a node (or CAPSTAN_URL; otherwise ${DEFAULT_URL})`,
      ).argParser(urlOption),
    )
    .option(
      "--timeout <time>",
      "give up after this long, such as 500ms or 5s; at most the node's limits.timeout (60s unless " +
        "it is configured)",
      durationOption,
    )
    .option(
      "--tls-ca <file>",
      "authority of the certificates of https:// nodes (or CAPSTAN_TLS_CA)",
    )
    .option("--tls-cert <file>", "certificate to show to them (or CAPSTAN_TLS_CERT)")
    .option("--tls-key <file>", "private key of that certificate (or CAPSTAN_TLS_KEY)")
    .option(
      "--token-file <file>",
      "file with the token to show (or CAPSTAN_TOKEN: the token itself)",
    )
    .option("--json", "print results and faults as JSON on standard output");
}

export function addKeyspaceOptions(command: Command): Command {
  return addServerOptions(
    command
      .option("--keyspace <name>", "keyspace of the key", "default")
      .option(
        "--consistency <level>",
        "one, two, three, quorum, all, strong, …: what the keyspace offers",
        levelOption,
      ),
  );
}

/** `--url` before `CAPSTAN_URL` before the default. */
export function serverUrl(options: ServerOptions, env: Surroundings["env"]): string {
  if (options.url !== undefined) return options.url;
  const fromEnvironment = env.CAPSTAN_URL;
  if (fromEnvironment === undefined || fromEnvironment === "") return DEFAULT_URL;
  try {
    return urlOption(fromEnvironment);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(`CAPSTAN_URL is "${fromEnvironment}". ${error.message}`);
  }
}

/** What the command line and the environment say; the environment's is for `https://` alone. */
export function accessOf(
  options: ServerOptions,
  { env, directory }: Pick<Surroundings, "env" | "directory">,
  url: string,
): Access {
  const isTls = url.startsWith("https:");
  const fileOf = (given: string | undefined, variable: string): string | undefined => {
    const file = given ?? (isTls ? env[variable] : undefined);
    return file === undefined || file === "" ? undefined : resolve(directory, file);
  };
  const [caFile, certFile, keyFile] = [
    fileOf(options.tlsCa, "CAPSTAN_TLS_CA"),
    fileOf(options.tlsCert, "CAPSTAN_TLS_CERT"),
    fileOf(options.tlsKey, "CAPSTAN_TLS_KEY"),
  ];
  const tls = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
  const token = tokenOf(options, { env, directory });
  return {
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(token === undefined ? {} : { token }),
  };
}

/** Of a file the first line that is no comment. A token on the command line could be read by all. */
function tokenOf(
  { tokenFile }: ServerOptions,
  { env, directory }: Pick<Surroundings, "env" | "directory">,
): string | undefined {
  const fromEnvironment = env.CAPSTAN_TOKEN;
  if (tokenFile === undefined) {
    if (fromEnvironment === undefined || fromEnvironment === "") return undefined;
    if (isHttpToken(fromEnvironment)) return fromEnvironment;
    throw new UsageError(`CAPSTAN_TOKEN is no token (it is not shown); it is ${TOKEN_ALLOWED}.`);
  }
  let text: string;
  try {
    text = readFileSync(resolve(directory, tokenFile), "utf8");
  } catch (error) {
    throw new UsageError(`--token-file cannot be read: ${(error as Error).message}.`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const token = lines.find((line) => line !== "" && !line.startsWith("#"));
  if (isHttpToken(token)) return token;
  throw new UsageError(`${tokenFile} holds no token; it is ${TOKEN_ALLOWED}.`);
}

/** A client of the node that the options name, or of another one at `url`. */
export function connectTo(
  options: ServerOptions,
  surroundings: Surroundings,
  url = serverUrl(options, surroundings.env),
): Client {
  return connect({ url, ...accessOf(options, surroundings, url) });
}

/** The options of one call, with those left out that were not given. */
export function callOptions(
  options: KeyspaceOptions,
  surroundings: Surroundings,
): CallOptions & { readonly consistency?: Level } {
  return {
    signal: surroundings.interruption.signal,
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
    ...(options.consistency === undefined ? {} : { consistency: options.consistency }),
  };
}

/** Lends a keyspace of the server to `use`, and closes the connection whatever happens. */
export async function withKeyspace<T>(
  options: KeyspaceOptions,
  surroundings: Surroundings,
  use: (keyspace: Keyspace) => Promise<T>,
): Promise<T> {
  const client = connectTo(options, surroundings);
  try {
    return await use(client.keyspace(options.keyspace));
  } finally {
    await client.close();
  }
}
