import { invalidConfiguration } from "../../core/model/configuration-problems.ts";
import type { Duration, Size } from "../../core/model/configuration-types.ts";
import { parseDurationMs } from "../../core/model/durations.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";
import {
  parseTlsOptions,
  type TlsOptions,
  type TlsSettings,
} from "../../core/model/tls-options.ts";

/** `transport: { type: "tcp", … }`. */
export interface TcpTransportOptions {
  /** For a connection to be made and to introduce itself; 50 ms to a minute. Default 5 s. */
  readonly connectTimeout?: Duration;
  /**
   * Without progress for so long, a connection that has bytes to send is given up, and so is one on which
   * nothing comes, though eight heartbeats should have; 100 ms to ten minutes. Default 10 s.
   */
  readonly stallTimeout?: Duration;
  /**
   * What may wait per peer and lane, above which `send` answers `saturated`; 64 KiB to 1 GiB.
   * Default 16 MiB.
   */
  readonly maxBufferedBytes?: Size;
  /**
   * Listen here instead of on the host of the node's own address: `"0.0.0.0"` in a container. What is
   * not loopback needs `tls`, or `insecure: true`, as addresses do.
   */
  readonly host?: string;
  /**
   * All three: nodes talk over TLS 1.3, and each shows a certificate that has the node's id as a DNS name
   * among its subject alternative names. Whoever `ca` has signed is a node, and nobody else is. Without
   * it nothing is encrypted, and a peer is believed to be who it says.
   */
  readonly tls?: TlsOptions;
}

export interface TcpSettings {
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxBufferedBytes: number;
  readonly host: string | undefined;
  readonly tls: TlsSettings | undefined;
}

const NAMES: readonly string[] = Object.freeze([
  "connectTimeout",
  "stallTimeout",
  "maxBufferedBytes",
  "host",
  "tls",
] satisfies (keyof TcpTransportOptions)[]);

const DEFAULTS = Object.freeze({
  connectTimeout: 5_000,
  stallTimeout: 10_000,
  maxBufferedBytes: 16 * 1024 * 1024,
});

const CONNECT_TIMEOUT_MS = Object.freeze({ min: 50, max: 60_000 });
const STALL_TIMEOUT_MS = Object.freeze({ min: 100, max: 600_000 });
const MAX_BUFFERED_BYTES = Object.freeze({ min: 64 * 1024, max: 1024 * 1024 * 1024 });

/** Throws `INVALID_CONFIGURATION` naming path, value and what is allowed. */
export function parseTcpOptions(options: Readonly<Record<string, unknown>>): TcpSettings {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    const reason = 'is not an option of the transport "tcp"';
    const path = `transport.${unknown}`;
    throw invalidConfiguration([{ path, value: options[unknown], allowed: NAMES, reason }]);
  }
  const {
    host,
    connectTimeout = DEFAULTS.connectTimeout,
    stallTimeout = DEFAULTS.stallTimeout,
    maxBufferedBytes = DEFAULTS.maxBufferedBytes,
  } = options;
  if (host !== undefined && (typeof host !== "string" || host === "")) {
    const allowed = ["the name or number of a network interface of this machine"];
    throw invalidConfiguration([{ path: "transport.host", value: host, allowed }]);
  }
  return Object.freeze({
    connectTimeoutMs: parseDurationMs(
      connectTimeout,
      "transport.connectTimeout",
      CONNECT_TIMEOUT_MS,
    ),
    stallTimeoutMs: parseDurationMs(stallTimeout, "transport.stallTimeout", STALL_TIMEOUT_MS),
    maxBufferedBytes: parseSizeBytes(
      maxBufferedBytes,
      "transport.maxBufferedBytes",
      MAX_BUFFERED_BYTES,
    ),
    host,
    tls: parseTlsOptions(options.tls, "transport.tls", ["cert", "key", "ca"]),
  });
}
