import {
  type ConfigurationProblem,
  describeValue,
  invalidConfiguration,
} from "../../core/model/configuration-problems.ts";
import type { Duration, Size } from "../../core/model/configuration-types.ts";
import { type Bounds, parseDurationMs } from "../../core/model/durations.ts";
import { isPlainObject } from "../../core/model/plain-object.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";

/**
 * `transport: { type: "nats", … }`. Of `user`, `token`, `credentials` and `nkey` at most one is
 * given. What `natsPermissions` lists is what the user needs on the server.
 */
export interface NatsTransportOptions {
  /**
   * `nats://host:port` or `tls://host:port`, one or several of one NATS cluster; without a scheme
   * or port, `nats` and 4222. Others that these announce are used too. Default
   * `nats://127.0.0.1:4222`.
   */
  readonly servers?: string | readonly string[];
  readonly user?: string;
  /** Of `user`. */
  readonly pass?: string;
  readonly token?: string;
  /** A credentials file, as its path or its contents. A file is read anew for each connection. */
  readonly credentials?: string;
  /** The seed of an NKey of a user: `SU…`. */
  readonly nkey?: string;
  /**
   * `true`, or the client's options: `certFile`, `keyFile`, `caFile` (paths), `cert`, `key`, `ca`
   * (contents), `handshakeFirst`, and those of `tls.connect`. Without it TLS is used where a server
   * demands or offers it.
   */
  readonly tls?: boolean | Readonly<Record<string, unknown>>;
  /** For one server to be reached, let this node in and take its subscriptions; default 2 s. */
  readonly connectTimeout?: Duration;
  /** `start` gives up when no server was reached for so long; later attempts never end. Default 10 s. */
  readonly startTimeout?: Duration;
  /** Before the second attempt to connect; doubles to twenty times that. Default 100 ms. */
  readonly reconnectWait?: Duration;
  /** A server that answers nothing for so long is left; 100 ms to ten minutes. Default 10 s. */
  readonly stallTimeout?: Duration;
  /**
   * A peer of which nothing came for so long is disconnected; every fifth of it a peer is greeted.
   * 250 ms to ten minutes. Default 2.5 s.
   */
  readonly presenceTimeout?: Duration;
  /**
   * The largest message; never above a server's `max_payload`, nor a quarter of `window`. 4 KiB to
   * 8 MiB. Default 256 KiB.
   */
  readonly maxChunkBytes?: Size;
  /**
   * What may be under way to a peer on one lane without its acknowledgement; 64 KiB to 64 MiB.
   * Peers × 3 lanes × this should stay below the server's `max_pending`. Default 2 MiB.
   */
  readonly window?: Size;
  /**
   * What may wait per peer and lane, above which `send` answers `saturated`; 64 KiB to 1 GiB.
   * Default 16 MiB.
   */
  readonly maxBufferedBytes?: Size;
}

export interface NatsSettings {
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly pass: string | undefined;
  readonly token: string | undefined;
  readonly credentials: string | undefined;
  readonly nkey: string | undefined;
  readonly tls: Readonly<Record<string, unknown>> | undefined;
  readonly connectTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly reconnectWaitMs: number;
  readonly stallTimeoutMs: number;
  readonly presenceTimeoutMs: number;
  readonly maxChunkBytes: number;
  readonly windowBytes: number;
  readonly maxBufferedBytes: number;
}

type Options = Readonly<Record<string, unknown>>;

const DEFAULT_SERVER = "nats://127.0.0.1:4222";
const KIB = 1024;
const MIB = 1024 * KIB;
const MINUTE_MS = 60_000;

interface Quantity extends Bounds {
  readonly otherwise: number;
}

const DURATIONS = Object.freeze({
  connectTimeout: quantity(2_000, 50, MINUTE_MS),
  startTimeout: quantity(10_000, 50, 60 * MINUTE_MS),
  reconnectWait: quantity(100, 1, MINUTE_MS),
  stallTimeout: quantity(10_000, 100, 10 * MINUTE_MS),
  presenceTimeout: quantity(2_500, 250, 10 * MINUTE_MS),
});

const SIZES = Object.freeze({
  maxChunkBytes: quantity(256 * KIB, 4 * KIB, 8 * MIB),
  window: quantity(2 * MIB, 64 * KIB, 64 * MIB),
  maxBufferedBytes: quantity(16 * MIB, 64 * KIB, 1024 * MIB),
});

/** Never shown: neither in a message nor among the details of a fault. */
const SECRETS: readonly string[] = Object.freeze(["pass", "token", "credentials", "nkey"]);
/** Ways to say who this node is; one at the most. */
const IDENTITIES: readonly string[] = Object.freeze(["user", "token", "credentials", "nkey"]);

const NAMES: readonly string[] = Object.freeze([
  ...["servers", "user", "pass", "token", "credentials", "nkey", "tls"],
  ...Object.keys(DURATIONS),
  ...Object.keys(SIZES),
]);

const SERVER =
  /^(?:(nats|tls):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(\d{1,5}))?\/?$/;
const SERVER_ALLOWED = "nats://host:port or tls://host:port, an IPv6 host in brackets";
const SEED = /^SU[A-Z2-7]{56}$/;

/** Throws `INVALID_CONFIGURATION` naming path, value (but no secret) and what is allowed. */
export function parseNatsOptions(options: Options): NatsSettings {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    const reason = 'is not an option of the transport "nats"';
    refuse({ path: `transport.${unknown}`, value: options[unknown], allowed: NAMES, reason });
  }
  const servers = serversOf(options.servers);
  checkIdentity(options);
  const duration = (name: keyof typeof DURATIONS): number =>
    parseDurationMs(options[name] ?? DURATIONS[name].otherwise, pathOf(name), DURATIONS[name]);
  const size = (name: keyof typeof SIZES): number =>
    parseSizeBytes(options[name] ?? SIZES[name].otherwise, pathOf(name), SIZES[name]);
  return Object.freeze({
    servers: servers.map((server) => server.replace(/^\w+:\/\//, "")),
    user: text(options, "user"),
    pass: text(options, "pass"),
    token: text(options, "token"),
    credentials: text(options, "credentials"),
    nkey: text(options, "nkey"),
    tls: tlsOf(options.tls, servers),
    connectTimeoutMs: duration("connectTimeout"),
    startTimeoutMs: duration("startTimeout"),
    reconnectWaitMs: duration("reconnectWait"),
    stallTimeoutMs: duration("stallTimeout"),
    presenceTimeoutMs: duration("presenceTimeout"),
    maxChunkBytes: size("maxChunkBytes"),
    windowBytes: size("window"),
    maxBufferedBytes: size("maxBufferedBytes"),
  });
}

function serversOf(value: unknown): readonly string[] {
  if (value === undefined) return [DEFAULT_SERVER];
  const servers: unknown[] = Array.isArray(value) ? value : [value];
  const path = "transport.servers";
  const allowed = [SERVER_ALLOWED, "a list of these"];
  if (servers.length === 0) refuse({ path, value, allowed });
  return servers.map((server, index) => {
    const at = Array.isArray(value) ? `${path}.${index}` : path;
    if (typeof server !== "string") return refuse({ path: at, value: server, allowed });
    if (server.includes("@")) {
      const reason = "has a user in its address";
      refuse({ path: at, value: undefined, allowed: ["transport.user, transport.pass"], reason });
    }
    const [whole, , , port = "4222"] = SERVER.exec(server) ?? [];
    const isPort = Number(port) >= 1 && Number(port) <= 65_535;
    if (whole === undefined || !isPort) refuse({ path: at, value: server, allowed });
    return server.replace(/\/$/, "");
  });
}

function checkIdentity(options: Options): void {
  const given = IDENTITIES.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    const reason = `stands beside transport.${given[0]}`;
    refuse({ path: pathOf(given[1]), value: undefined, allowed: ["one of the two"], reason });
  }
  if (options.pass !== undefined && options.user === undefined) {
    const reason = "is given without transport.user";
    refuse({ path: "transport.pass", value: undefined, allowed: ["both, or none"], reason });
  }
  const seed = text(options, "nkey");
  if (seed !== undefined && !SEED.test(seed)) {
    const reason = "is not the seed of a user's NKey";
    refuse({
      path: "transport.nkey",
      value: undefined,
      allowed: ["SU and 56 of A-Z, 2-7"],
      reason,
    });
  }
}

function text(options: Options, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  const shown = SECRETS.includes(name) ? { value: undefined, reason: "is no text" } : { value };
  return refuse({ path: pathOf(name), allowed: ["text that is not empty"], ...shown });
}

function tlsOf(
  value: unknown,
  servers: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  const isSchemed = servers.some((server) => server.startsWith("tls://"));
  if (value === true || (value === undefined && isSchemed)) return {};
  if (value === undefined || isPlainObject(value)) return value;
  const allowed = ["true", "an object such as { caFile: … }"];
  if (value !== false) return refuse({ path: "transport.tls", value, allowed });
  if (!isSchemed) return undefined;
  const reason = "is false, and transport.servers has a tls:// address";
  return refuse({ path: "transport.tls", value, allowed, reason });
}

function quantity(otherwise: number, min: number, max: number): Quantity {
  return Object.freeze({ otherwise, min, max });
}

function pathOf(name: string | undefined): string {
  return `transport.${name}`;
}

function refuse(problem: ConfigurationProblem): never {
  const { value, reason = `is ${describeValue(value)}` } = problem;
  throw invalidConfiguration([{ ...problem, reason }]);
}
