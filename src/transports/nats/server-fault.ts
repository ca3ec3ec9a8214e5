import { CapstanError } from "../../core/model/errors.ts";
import type { NatsSettings } from "./nats-options.ts";

/** The client's errors that say that the server knows this node, and does not want it. */
const REFUSALS: readonly string[] = Object.freeze([
  "AuthorizationError",
  "UserAuthenticationExpiredError",
  "PermissionViolationError",
]);

/** This node's own configuration cannot be used for a connection: no file, no credentials in it. */
export class UnusableCredentialsError extends Error {
  override readonly name = "UnusableCredentialsError";
}

/** Whether trying again cannot help until somebody changes the configuration, here or there. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof UnusableCredentialsError) return true;
  return error instanceof Error && REFUSALS.includes(error.name);
}

/** What `start` rejects with, and what ends the node. */
export function refusalFault(error: unknown, settings: NatsSettings): CapstanError {
  const who = identityOf(settings);
  return new CapstanError(
    "INVALID_CONFIGURATION",
    error instanceof UnusableCredentialsError
      ? error.message
      : `the NATS server at ${describeServers(settings)} refused ${who}: ${reasonOf(error)}`,
    { cause: error, details: { servers: settings.servers } },
  );
}

export function unreachableFault(error: unknown, settings: NatsSettings): CapstanError {
  return new CapstanError(
    "UNREACHABLE_SERVER",
    `no NATS server could be used within ${settings.startTimeoutMs} ms at ` +
      `${describeServers(settings)} (transport.servers): ${reasonOf(error)}`,
    { cause: error, details: { servers: settings.servers } },
  );
}

export function describeServers({ servers }: NatsSettings): string {
  return servers.join(", ");
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return error === undefined ? "no answer" : String(error);
  const { code } = error as NodeJS.ErrnoException;
  return error.message || code || error.name;
}

function identityOf({ user, token, credentials, nkey }: NatsSettings): string {
  if (user !== undefined) return `user "${user}" (transport.user, transport.pass)`;
  if (token !== undefined) return "the token (transport.token)";
  if (credentials !== undefined) return "the credentials (transport.credentials)";
  if (nkey !== undefined) return "the NKey (transport.nkey)";
  return "a node without credentials (transport.user, .token, .credentials or .nkey)";
}
