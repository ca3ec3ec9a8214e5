import { readFile } from "node:fs/promises";
import type { Authenticator, NodeConnectionOptions, TlsOptions } from "@nats-io/transport-node";
import type { NatsSettings } from "./nats-options.ts";
import { UnusableCredentialsError } from "./server-fault.ts";

type NatsClient = typeof import("@nats-io/transport-node");

/** This node asks by itself, with its own patience: the client's asking never ends a connection. */
const NO_PING_MS = 2_147_483_647;
const CREDENTIALS_BEGIN = "-----BEGIN";

/**
 * What the client connects with. It is not to connect again by itself: a connection that is lost is
 * replaced by a new one, for all lanes at once.
 */
export async function connectionOptions(
  client: NatsClient,
  settings: NatsSettings,
  servers: readonly string[],
): Promise<NodeConnectionOptions> {
  const { user, pass, token, nkey, tls } = settings;
  const encoder = new TextEncoder();
  const authenticators: Authenticator[] = [];
  if (nkey !== undefined) authenticators.push(client.nkeyAuthenticator(encoder.encode(nkey)));
  const credentials = await credentialsOf(settings);
  if (credentials !== undefined) {
    authenticators.push(client.credsAuthenticator(encoder.encode(credentials)));
  }
  return {
    servers: [...servers],
    noRandomize: true,
    reconnect: false,
    noEcho: true,
    noAsyncTraces: true,
    timeout: settings.connectTimeoutMs,
    pingInterval: NO_PING_MS,
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(token === undefined ? {} : { token }),
    ...(tls === undefined ? {} : { tls: { ...tls } as TlsOptions }),
    ...(authenticators.length === 0 ? {} : { authenticator: authenticators }),
  };
}

/** Read for each connection: credentials that run out are renewed by replacing the file. */
async function credentialsOf({ credentials }: NatsSettings): Promise<string | undefined> {
  if (credentials === undefined) return undefined;
  const isContents = credentials.includes(CREDENTIALS_BEGIN);
  const text = isContents ? credentials : await readCredentials(credentials);
  if (text.split(CREDENTIALS_BEGIN).length >= 3) return text;
  const where = isContents ? "the contents given" : `the file ${credentials}`;
  throw new UnusableCredentialsError(
    `transport.credentials: ${where} hold no NATS credentials; allowed: the path or the contents ` +
      "of a file with a user's JWT and seed",
  );
}

async function readCredentials(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UnusableCredentialsError(
      `transport.credentials: the file ${path} cannot be read (${code}); allowed: the path or the ` +
        "contents of a credentials file",
      { cause: error },
    );
  }
}
