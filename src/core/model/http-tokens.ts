import { type ConfigurationProblem, invalidConfiguration } from "./configuration-problems.ts";
import { isPlainObject } from "./plain-object.ts";

/** What a caller may do over HTTP; each may what those before it may. */
export const HTTP_ROLES = Object.freeze(["read", "write", "admin"] as const);

export type HttpRole = (typeof HTTP_ROLES)[number];

/**
 * `http.tokens`: who shows one of these may call, as far as its role goes. Of each role one is given: a token
 * or a list of them, or the path of a file with one token a line, which is read again, so that
 * tokens are replaced without a restart.
 */
export interface HttpTokensInput {
  readonly read?: string | readonly string[];
  readonly readFile?: string;
  readonly write?: string | readonly string[];
  readonly writeFile?: string;
  readonly admin?: string | readonly string[];
  readonly adminFile?: string;
}

/** Where a role's tokens come from, and the path of the option that says so. */
export interface TokenSource {
  readonly role: HttpRole;
  readonly option: string;
  readonly tokens?: readonly string[];
  readonly file?: string;
}

const PATH = "http.tokens";
const EXAMPLE = "an object such as { readFile, writeFile, adminFile }";
const NAMES: readonly string[] = Object.freeze(HTTP_ROLES.flatMap((role) => [role, `${role}File`]));
/** RFC 6750 §2.1, and long enough that nobody guesses one. */
const TOKEN = /^[A-Za-z0-9._~+/-]{20,512}=*$/;

export const TOKEN_ALLOWED =
  "20 to 512 of A-Z, a-z, 0-9 and -._~+/, such as `openssl rand -hex 32` prints";

export function isHttpToken(text: unknown): text is string {
  return typeof text === "string" && TOKEN.test(text);
}

/** @throws CapstanError `INVALID_CONFIGURATION`, which shows no token. */
export function parseHttpTokens(input: unknown): readonly TokenSource[] | undefined {
  if (input === undefined) return undefined;
  if (!isPlainObject(input) || Object.keys(input).length === 0) {
    return refuse({ path: PATH, value: undefined, allowed: [EXAMPLE], reason: "names no tokens" });
  }
  const unknown = Object.keys(input).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    const path = `${PATH}.${unknown}`;
    refuse({ path, value: undefined, allowed: NAMES, reason: "is no field here" });
  }
  return HTTP_ROLES.flatMap((role) => sourcesOf(input, role));
}

function sourcesOf(input: Readonly<Record<string, unknown>>, role: HttpRole): TokenSource[] {
  const [text, file] = [`${role}`, `${role}File`] as const;
  const allowed = [`one of ${PATH}.${text} (tokens) and ${PATH}.${file} (a path)`];
  if (Object.hasOwn(input, text) && Object.hasOwn(input, file)) {
    const reason = `stands beside ${PATH}.${text}`;
    refuse({ path: `${PATH}.${file}`, value: undefined, allowed, reason });
  }
  if (Object.hasOwn(input, file)) {
    const path = input[file];
    const option = `${PATH}.${file}`;
    if (typeof path === "string" && path !== "") return [{ role, option, file: path }];
    return refuse({ path: option, value: undefined, allowed, reason: "is no path" });
  }
  if (!Object.hasOwn(input, text)) return [];
  const option = `${PATH}.${text}`;
  // A variable of the environment that is not set must not pass for a role without tokens.
  const tokens = Array.isArray(input[text]) ? input[text] : [input[text]];
  if (tokens.length > 0 && tokens.every(isHttpToken)) return [{ role, option, tokens }];
  const reason = "is no token, or one of them is none (its value is not shown)";
  return refuse({ path: option, value: undefined, allowed: [TOKEN_ALLOWED], reason });
}

function refuse(problem: ConfigurationProblem): never {
  throw invalidConfiguration([problem]);
}
