import { type ConfigurationProblem, invalidConfiguration } from "./configuration-problems.ts";
import { isPlainObject } from "./plain-object.ts";

/**
 * With what somebody speaks TLS. Of each pair one is given: the PEM text itself, or the path of a file,
 * which is read again when connections are made later, so that a renewed certificate needs no restart.
 */
export interface TlsOptions {
  /** The certificate that is shown, with those in between behind it. */
  readonly cert?: string;
  readonly certFile?: string;
  /** Of the certificate; not encrypted. */
  readonly key?: string;
  readonly keyFile?: string;
  /** The authority, or several, that has to have signed what the other end shows. */
  readonly ca?: string;
  readonly caFile?: string;
}

/** Where a text comes from, and the path of the option that says so. */
export interface TextSource {
  readonly option: string;
  readonly text?: string;
  readonly file?: string;
}

/** What a use of TLS may have; which of them it has to is the use's own. */
export interface TlsSettings {
  readonly cert: TextSource | undefined;
  readonly key: TextSource | undefined;
  readonly ca: TextSource | undefined;
}

export type TlsPart = keyof TlsSettings;

const PARTS: readonly TlsPart[] = Object.freeze(["cert", "key", "ca"]);
const NAMES: readonly string[] = Object.freeze(PARTS.flatMap((part) => [part, `${part}File`]));

/**
 * A certificate without its key, or a key without its certificate, is refused everywhere.
 *
 * @param path of the options, for messages.
 * @param needed what may not be left out.
 * @throws CapstanError `INVALID_CONFIGURATION` naming the path, what is allowed, and the value unless it
 * is secret.
 */
export function parseTlsOptions(
  input: unknown,
  path: string,
  needed: readonly TlsPart[],
): TlsSettings | undefined {
  if (input === undefined) return undefined;
  const example = (needed.length === 0 ? ["ca"] : needed).map((part) => `${part}File`).join(", ");
  const allowed = [`an object such as { ${example} }`];
  if (typeof input === "string") {
    // It may be a key.
    refuse({ path, value: undefined, allowed, reason: "is a text" });
  }
  if (!isPlainObject(input)) return refuse({ path, value: input, allowed });
  const unknown = Object.keys(input).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    const reason = `is not an option of "${path}"`;
    refuse({ path: `${path}.${unknown}`, value: undefined, allowed: NAMES, reason });
  }
  const isGiven = (part: TlsPart): boolean =>
    input[part] !== undefined || input[`${part}File`] !== undefined;
  const isPaired = isGiven("cert") || isGiven("key");
  const sourceOf = (part: TlsPart): TextSource | undefined => {
    const isNeeded = needed.includes(part) || (isPaired && part !== "ca");
    return isNeeded || isGiven(part) ? parseSource(input, path, part) : undefined;
  };
  if (!PARTS.some(isGiven)) refuse({ path, value: input, allowed });
  return Object.freeze({ cert: sourceOf("cert"), key: sourceOf("key"), ca: sourceOf("ca") });
}

function parseSource(
  input: Readonly<Record<string, unknown>>,
  path: string,
  part: TlsPart,
): TextSource {
  const [text, file] = [input[part], input[`${part}File`]];
  const allowed = [`one of ${path}.${part} (PEM text) and ${path}.${part}File (a path)`];
  if (text === undefined && file === undefined) {
    refuse({ path: `${path}.${part}File`, value: undefined, allowed, reason: "is missing" });
  }
  if (text !== undefined && file !== undefined) {
    const reason = `stands beside ${path}.${part}`;
    refuse({ path: `${path}.${part}File`, value: undefined, allowed, reason });
  }
  const option = `${path}.${part}${file === undefined ? "" : "File"}`;
  const value = text ?? file;
  if (typeof value !== "string" || value === "") {
    const reason = "is no text";
    return refuse({ path: option, value: undefined, allowed, reason });
  }
  if (file === undefined && !value.includes("-----BEGIN ")) {
    const reason = "is not PEM text (its value is not shown)";
    refuse({ path: option, value: undefined, allowed, reason });
  }
  return Object.freeze(file === undefined ? { option, text: value } : { option, file: value });
}

function refuse(problem: ConfigurationProblem): never {
  throw invalidConfiguration([problem]);
}
