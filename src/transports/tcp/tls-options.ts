import {
  type ConfigurationProblem,
  invalidConfiguration,
} from "../../core/model/configuration-problems.ts";
import { isPlainObject } from "../../core/model/plain-object.ts";

/**
 * `transport: { type: "tcp", tls: { … } }`: nodes talk over TLS 1.3, and each shows a certificate. Of each
 * pair one is given: the PEM text itself, or the path of a file, which is read again when connections
 * are made later, so that a renewed certificate needs no restart.
 */
export interface TcpTlsOptions {
  /** Of this node: its subject alternative names have the node's id as a DNS name. */
  readonly cert?: string;
  readonly certFile?: string;
  /** Of the certificate; not encrypted. */
  readonly key?: string;
  readonly keyFile?: string;
  /** The authority of this cluster: whoever it has signed is a node, and nobody else is. */
  readonly ca?: string;
  readonly caFile?: string;
}

/** Where a text comes from, and the path of the option that says so. */
export interface TextSource {
  readonly option: string;
  readonly text?: string;
  readonly file?: string;
}

export interface TlsSettings {
  readonly cert: TextSource;
  readonly key: TextSource;
  readonly ca: TextSource;
}

const PATH = "transport.tls";
const PARTS = Object.freeze(["cert", "key", "ca"] as const);
const NAMES: readonly string[] = Object.freeze(PARTS.flatMap((part) => [part, `${part}File`]));
const ALLOWED = "an object such as { certFile, keyFile, caFile }";

/** Throws `INVALID_CONFIGURATION` naming the path, what is allowed, and the value unless it is secret. */
export function parseTlsOptions(input: unknown): TlsSettings | undefined {
  if (input === undefined) return undefined;
  if (typeof input === "string") {
    // It may be a key.
    refuse({ path: PATH, value: undefined, allowed: [ALLOWED], reason: "is a text" });
  }
  if (!isPlainObject(input)) return refuse({ path: PATH, value: input, allowed: [ALLOWED] });
  const unknown = Object.keys(input).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    const reason = 'is not an option of "transport.tls"';
    refuse({ path: `${PATH}.${unknown}`, value: undefined, allowed: NAMES, reason });
  }
  const [cert, key, ca] = PARTS.map((part) => sourceOf(input, part)) as [
    TextSource,
    TextSource,
    TextSource,
  ];
  return Object.freeze({ cert, key, ca });
}

function sourceOf(input: Readonly<Record<string, unknown>>, part: string): TextSource {
  const [text, file] = [input[part], input[`${part}File`]];
  const allowed = [`one of ${PATH}.${part} (PEM text) and ${PATH}.${part}File (a path)`];
  if (text === undefined && file === undefined) {
    refuse({ path: `${PATH}.${part}File`, value: undefined, allowed, reason: "is missing" });
  }
  if (text !== undefined && file !== undefined) {
    const reason = `stands beside ${PATH}.${part}`;
    refuse({ path: `${PATH}.${part}File`, value: undefined, allowed, reason });
  }
  const option = `${PATH}.${part}${file === undefined ? "" : "File"}`;
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
