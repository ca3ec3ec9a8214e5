import { CapstanError } from "../../core/model/errors.ts";

/** `transport: { type: "tcp", … }`. */
export interface TcpTransportOptions {
  /** Milliseconds for a connection to be made and to introduce itself. Default 5,000. */
  readonly connectTimeout?: number;
  /**
   * Milliseconds without progress after which a connection that has bytes to send is given up.
   * Default 10,000.
   */
  readonly stallTimeout?: number;
  /** Bytes that may wait per peer and lane, above which `send` answers `saturated`. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** Listen here instead of on the host of the node's own address: `"0.0.0.0"` in a container. */
  readonly host?: string;
}

export interface TcpSettings {
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxBufferedBytes: number;
  readonly host: string | undefined;
}

const NAMES = Object.freeze(["connectTimeout", "stallTimeout", "maxBufferedBytes", "host"]);

const KIB = 1024;
const GIB = 1024 * 1024 * KIB;

/** Throws `INVALID_CONFIGURATION` naming path, value and what is allowed. */
export function parseTcpOptions(options: Readonly<Record<string, unknown>>): TcpSettings {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new CapstanError(
      "INVALID_CONFIGURATION",
      `transport.${unknown} is not an option of the transport "tcp"; it has: ${NAMES.join(", ")}`,
      { allowed: NAMES, details: { path: `transport.${unknown}` } },
    );
  }
  const { host } = options;
  if (host !== undefined && (typeof host !== "string" || host === "")) {
    throw refusal("host", host, "the name or number of a network interface of this machine");
  }
  return Object.freeze({
    connectTimeoutMs: integer(options, "connectTimeout", 5_000, 50, 60_000, "milliseconds"),
    stallTimeoutMs: integer(options, "stallTimeout", 10_000, 100, 600_000, "milliseconds"),
    maxBufferedBytes: integer(options, "maxBufferedBytes", 16 * KIB * KIB, 64 * KIB, GIB, "bytes"),
    host,
  });
}

function integer(
  options: Readonly<Record<string, unknown>>,
  name: string,
  fallback: number,
  least: number,
  most: number,
  unit: string,
): number {
  const value = options[name];
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw refusal(name, value, `a whole number of ${unit} from ${least} to ${most}`);
}

function refusal(name: string, value: unknown, allowed: string): CapstanError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new CapstanError(
    "INVALID_CONFIGURATION",
    `transport.${name} is ${shown}; it must be ${allowed}`,
    { details: { path: `transport.${name}` } },
  );
}
