import { type ConfigurationProblems, invalidConfiguration } from "./configuration-problems.ts";
import { type HttpTokensInput, parseHttpTokens, type TokenSource } from "./http-tokens.ts";
import { nearestName } from "./nearest-name.ts";
import { isPlainObject } from "./plain-object.ts";
import { parseTlsOptions, type TlsOptions, type TlsSettings } from "./tls-options.ts";

/** `http` of a configuration: how `capstan start` serves HTTP, beside the addresses of the nodes. */
export interface HttpSectionInput {
  /**
   * `cert` and `key`: HTTP over TLS 1.3 alone. With `ca` a client has to show a certificate, too, that
   * this authority has signed.
   */
  readonly tls?: TlsOptions;
  /**
   * Who shows none of these is told of the health that the node serves, and nothing else. Without them
   * everybody who reaches the node may do everything.
   */
  readonly tokens?: HttpTokensInput;
  /** Names, beside the loopback ones and the host of the address, by which clients may address the nodes. */
  readonly allowedHosts?: readonly string[];
}

export interface HttpSection {
  readonly tls: TlsSettings | undefined;
  readonly tokens: readonly TokenSource[] | undefined;
  readonly allowedHosts: readonly string[];
}

const NAMES: readonly string[] = Object.freeze([
  "tls",
  "tokens",
  "allowedHosts",
] satisfies (keyof HttpSectionInput)[]);

export const ALLOWED_HOSTS_ALLOWED = "a list of names, none of them empty";

/** No value of an unknown field is shown: it may be a secret, misplaced. */
export function resolveHttpSection(input: unknown, problems: ConfigurationProblems): HttpSection {
  const nothing: HttpSection = { tls: undefined, tokens: undefined, allowedHosts: [] };
  if (input === undefined) return nothing;
  if (!isPlainObject(input)) {
    const allowed = [`an object with ${NAMES.join(", ")}`];
    problems.add({ path: "http", value: undefined, allowed, reason: "is no object" });
    return nothing;
  }
  for (const name of Object.keys(input).filter((each) => !NAMES.includes(each))) {
    const meant = nearestName(name, NAMES);
    const reason = `is no field here${meant === undefined ? "" : `, perhaps ${meant} is meant`}`;
    problems.add({ path: `http.${name}`, value: undefined, allowed: NAMES, reason });
  }
  return {
    tls: problems.take(() => parseHttpTls(input.tls), undefined),
    tokens: problems.take(() => parseHttpTokens(input.tokens), undefined),
    allowedHosts: problems.take(() => parseAllowedHosts(input.allowedHosts), []),
  };
}

/** @throws CapstanError `INVALID_CONFIGURATION`. */
export function parseHttpTls(input: unknown): TlsSettings | undefined {
  return parseTlsOptions(input, "http.tls", ["cert", "key"]);
}

function parseAllowedHosts(input: unknown): readonly string[] {
  if (input === undefined) return [];
  const isName = (each: unknown): boolean => typeof each === "string" && each !== "";
  if (Array.isArray(input) && input.every(isName)) return input;
  const path = "http.allowedHosts";
  throw invalidConfiguration([{ path, value: input, allowed: [ALLOWED_HOSTS_ALLOWED] }]);
}

/** What keeps strangers from an HTTP address that they can reach. */
export type HttpGuard = Pick<HttpSection, "tls" | "tokens">;

/**
 * Why an HTTP address that others can reach has nothing that keeps strangers out: what they send and are
 * sent has to be encrypted, and who they are has to be asked. Undefined if nothing is missing.
 */
export function lackOf({ tls, tokens }: HttpGuard): string | undefined {
  if (tls === undefined) return "there is no TLS";
  return tls.ca === undefined && tokens === undefined ? "nobody is asked who they are" : undefined;
}

/** What may stand beside an HTTP address that others can reach. */
export const HTTP_REMEDIES: readonly string[] = Object.freeze([
  "http.tls with http.tokens or a caFile of the clients",
  "insecure: true",
]);
