import { z } from "zod";
import { type Observer, SILENT_OBSERVER } from "../core/contracts/observer.ts";
import {
  type ConfigurationProblem,
  invalidConfiguration,
} from "../core/model/configuration-problems.ts";
import {
  ALLOWED_HOSTS_ALLOWED,
  HTTP_REMEDIES,
  lackOf,
  parseHttpTls,
} from "../core/model/http-section.ts";
import {
  type HttpTokensInput,
  parseHttpTokens,
  type TokenSource,
} from "../core/model/http-tokens.ts";
import type { TlsOptions, TlsSettings } from "../core/model/tls-options.ts";
import { isLoopback } from "./host-guard.ts";

/** Where and how a node answers HTTP. Sizes in bytes, times in milliseconds. */
export interface HttpOptions {
  /**
   * Default `127.0.0.1`. An address that is not loopback needs `tls` with `tokens` or a `ca`, or `insecure`.
   */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Names, beside the loopback ones and `host`, by which clients may address this node. */
  readonly allowedHosts?: readonly string[];
  /** Listens where others can reach it, with nothing that keeps strangers out. Default false. */
  readonly insecure?: boolean;
  /**
   * `cert` and `key`, or the paths of their files: HTTP over TLS 1.3 alone. With `ca` a client has to show a
   * certificate, too, that this authority has signed. Files are read again for connections that are made
   * later, so that renewed certificates need no restart.
   */
  readonly tls?: TlsOptions;
  /**
   * What callers have to show, by what they may do: `read`; `write`, and to read; `admin`, which is also to
   * move shards. Tokens, or the path of a file with one a line (`readFile`, …), which is read again.
   * Without TLS whoever is on the way reads them.
   */
  readonly tokens?: HttpTokensInput;
  /** Of one request's body. Default 4 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Within which a request has to arrive whole. Default 30,000. A client that reads nothing of its answer
   * for three times as long is cut.
   */
  readonly requestTimeoutMs?: number;
  /** After which an idle connection is closed. Default 5,000. */
  readonly keepAliveTimeoutMs?: number;
  /**
   * Beyond which one is closed for each that comes: the one that has been idle longest, or, where all are
   * at work, the new one. Default 1,024.
   */
  readonly maxConnections?: number;
  /** Streams of watches at once; above it 429. Default 256. */
  readonly maxWatches?: number;
  /** After which a watch without events is sent a comment. Default 15,000. */
  readonly watchHeartbeatMs?: number;
  /** Told of internal faults. Default: silent. */
  readonly observer?: Observer;
}

const schema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(0).max(65_535),
  allowedHosts: z.array(z.string().min(1)).default([]),
  insecure: z.boolean().default(false),
  tls: z.unknown().optional(),
  tokens: z.unknown().optional(),
  maxBodyBytes: z
    .int()
    .min(1_024)
    .default(4 * 1024 * 1024),
  requestTimeoutMs: z.int().min(1).default(30_000),
  keepAliveTimeoutMs: z.int().min(1).default(5_000),
  maxConnections: z.int().min(1).default(1_024),
  maxWatches: z.int().min(1).default(256),
  watchHeartbeatMs: z.int().min(1).default(15_000),
  observer: z.custom<Observer>((value) => typeof value === "object").default(SILENT_OBSERVER),
});

export type ResolvedHttpOptions = Omit<z.infer<typeof schema>, "tls" | "tokens"> & {
  readonly tls: TlsSettings | undefined;
  readonly tokens: readonly TokenSource[] | undefined;
};

const WHOLE = "a whole number from 1";

/** What is allowed, in words; the schema has the same in code. */
const ALLOWED: Readonly<Record<keyof HttpOptions, string>> = Object.freeze({
  host: "a name or an address, such as 127.0.0.1",
  port: "a whole number from 0 (a free one) to 65535",
  allowedHosts: ALLOWED_HOSTS_ALLOWED,
  insecure: "true or false",
  tls: "an object such as { certFile, keyFile }",
  tokens: "an object such as { readFile, writeFile, adminFile }",
  maxBodyBytes: "a whole number from 1024",
  requestTimeoutMs: WHOLE,
  keepAliveTimeoutMs: WHOLE,
  maxConnections: WHOLE,
  maxWatches: WHOLE,
  watchHeartbeatMs: WHOLE,
  observer: "an Observer",
});

/** Throws `INVALID_CONFIGURATION`, naming each option that is wrong, its value and what is allowed. */
export function resolveHttpOptions(options: HttpOptions): ResolvedHttpOptions {
  const result = schema.safeParse(options);
  if (!result.success) {
    throw invalidConfiguration(result.error.issues.flatMap((issue) => problemsOf(issue, options)));
  }
  const tls = parseHttpTls(result.data.tls);
  const tokens = parseHttpTokens(result.data.tokens);
  const { host, insecure } = result.data;
  const lack = insecure || isLoopback(host) ? undefined : lackOf({ tls, tokens });
  if (lack !== undefined) {
    const reason = `${JSON.stringify(host)} can be reached from elsewhere, and ${lack}`;
    const allowed = ["a loopback address", ...HTTP_REMEDIES];
    throw invalidConfiguration([{ path: "http.host", value: host, allowed, reason }]);
  }
  return { ...result.data, tls, tokens };
}

function problemsOf(issue: z.core.$ZodIssue, options: unknown): readonly ConfigurationProblem[] {
  const names = Object.keys(ALLOWED);
  if (issue.code === "unrecognized_keys") {
    const reason = "is no option";
    return issue.keys.map((key) => ({
      ...{ path: `http.${key}`, value: undefined, allowed: names, reason },
    }));
  }
  const [name] = issue.path;
  if (name === undefined) {
    return [{ path: "http", value: options, allowed: [`an object with ${names.join(", ")}`] }];
  }
  const value = (options as Readonly<Record<PropertyKey, unknown>>)[name];
  return [{ path: `http.${String(name)}`, value, allowed: [ALLOWED[name as keyof HttpOptions]] }];
}
