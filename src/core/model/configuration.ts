import { checkSection, reportIssues } from "./check-section.ts";
import { parseClusterKey } from "./cluster-key.ts";
import { configurationDigest } from "./configuration-digest.ts";
import { resolveKeyspaces } from "./configuration-keyspaces.ts";
import { isLoopback, resolveNodes } from "./configuration-nodes.ts";
import { outlineOf } from "./configuration-outline.ts";
import { ConfigurationProblems, joinPath } from "./configuration-problems.ts";
import {
  CLOCK_SCHEMA,
  CLUSTER_SCHEMA,
  CONFIGURATION_SCHEMA,
  DETECTOR_SCHEMA,
  LIMITS_SCHEMA,
  PLUG_IN_SCHEMA,
} from "./configuration-schema.ts";
import type {
  ResolvedConfiguration,
  ResolvedKeyspace,
  ResolvedNode,
} from "./configuration-types.ts";
import { DEFAULTS } from "./defaults.ts";
import { type Bounds, parseDurationMs } from "./durations.ts";
import { resolveHttpSection } from "./http-section.ts";
import { isPlainObject } from "./plain-object.ts";
import { parseSizeBytes } from "./sizes.ts";

const MINUTE_MS = 60_000;
const MAX_SKEW_BOUNDS: Bounds = Object.freeze({ min: 1, max: 10 * MINUTE_MS });
const HEARTBEAT_BOUNDS: Bounds = Object.freeze({ min: 10, max: MINUTE_MS });
const SUSPECT_BOUNDS: Bounds = Object.freeze({ min: 20, max: 10 * MINUTE_MS });
const TIMEOUT_BOUNDS: Bounds = Object.freeze({ min: 1, max: 60 * MINUTE_MS });
const QUEUED_BOUNDS: Bounds = Object.freeze({ min: 64 * 1024, max: 16 * 1024 ** 3 });
/** Below, one heartbeat that is late would be enough to suspect. */
const LEAST_HEARTBEATS = 2;

type PlugIn = ResolvedConfiguration["transport"];

/**
 * `openStore`'s first argument, checked, filled with defaults and frozen: one node in memory with
 * one keyspace where it says nothing. Names of strategies, transports, storages and resolvers, and
 * the options of each, are left to those who bind them. Objects that the user hands over (a hub, a
 * schema, a resolver) stay the very same.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` with all problems that there are: path, value and
 * what is allowed of each, in the message and in `details.problems`.
 */
export function resolveConfiguration(input: unknown): ResolvedConfiguration {
  const problems = new ConfigurationProblems();
  const given = checkSection(CONFIGURATION_SCHEMA, input, "", problems);
  const cluster = checkSection(CLUSTER_SCHEMA, given.cluster, "cluster", problems);
  const name = cluster.name ?? DEFAULTS.cluster.name;
  const insecure = given.insecure ?? false;
  const key = parseClusterKey(cluster.key, problems);
  const isEncrypted = hasTls(given.transport);
  const http = resolveHttpSection(given.http, problems);
  const nodes = resolveNodes(cluster.nodes, { insecure, isEncrypted, http }, problems);
  const transport = resolveTransport(given.transport, nodes, insecure, problems);
  const storage = resolvePlugIn(given.storage, "storage", DEFAULTS.storage.type, problems);
  const keyspaces = resolveKeyspaces(given.keyspaces, storage.type, problems);
  const whole = Object.freeze({ name, nodes, key });
  const configuration = {
    cluster: whole,
    transport,
    storage,
    keyspaces,
    clock: resolveClock(given.clock, problems),
    detector: resolveDetector(given.detector, problems),
    limits: resolveLimits(given.limits, keyspaces, problems),
    insecure,
    digest: configurationDigest(whole, keyspaces),
    outline: outlineOf(whole, keyspaces),
  };
  problems.throwIfAny();
  return Object.freeze(configuration);
}

function resolvePlugIn(
  input: unknown,
  path: string,
  defaultType: string,
  problems: ConfigurationProblems,
): PlugIn {
  if (input === undefined) return plugIn(defaultType, {});
  const { success, data, error } = PLUG_IN_SCHEMA.safeParse(input);
  if (success) {
    const { type, ...options } = data;
    return plugIn(type, options);
  }
  reportIssues(error.issues, input, path, problems);
  return plugIn(defaultType, {});
}

/** The options themselves are the user's: a hub is known by its identity. */
function plugIn(type: string, options: Record<string, unknown>): PlugIn {
  return Object.freeze({ type, options: Object.freeze(options) });
}

/** Nodes that all have addresses are reached by them, unless something else is said. */
function resolveTransport(
  input: unknown,
  nodes: readonly ResolvedNode[],
  insecure: boolean,
  problems: ConfigurationProblems,
): PlugIn {
  const unaddressed = nodes.filter(({ peer }) => peer === undefined);
  const isAddressed = nodes.length > 1 && unaddressed.length === 0;
  const otherwise = isAddressed ? "tcp" : DEFAULTS.transport.type;
  const transport = resolvePlugIn(input, "transport", otherwise, problems);
  if (transport.type === "tcp") {
    if (!insecure && !hasTls(input)) checkListeningHost(transport.options.host, problems);
    for (const { id } of unaddressed) {
      problems.add({
        path: joinPath("cluster.nodes", id, "peer"),
        value: undefined,
        allowed: ['"host:port"'],
        reason: "is missing, and the transport tcp needs it",
      });
    }
  }
  if (transport.type === "memory" && nodes.length > 1 && transport.options.hub === undefined) {
    problems.add({
      path: "transport",
      value: input,
      allowed: [
        '{ type: "memory", hub } with what createMemoryHub() returns',
        '{ type: "tcp" }',
        '{ type: "nats", servers }',
      ],
      reason: `connects none of the ${nodes.length} nodes`,
    });
  }
  return transport;
}

/** Whether peers show each other certificates: then others may reach them. */
function hasTls(transport: unknown): boolean {
  return isPlainObject(transport) && transport.type === "tcp" && isPlainObject(transport.tls);
}

/** Where a node listens instead of on its own address counts as that address does. */
function checkListeningHost(host: unknown, problems: ConfigurationProblems): void {
  if (typeof host !== "string" || host === "" || isLoopback(host.toLowerCase())) return;
  problems.add({
    path: "transport.host",
    value: host,
    allowed: ["a loopback address", "transport.tls", "insecure: true"],
    reason: `is ${host}, where others can reach this node, and there is no TLS`,
  });
}

function resolveClock(
  input: unknown,
  problems: ConfigurationProblems,
): ResolvedConfiguration["clock"] {
  const { maxSkew } = checkSection(CLOCK_SCHEMA, input, "clock", problems);
  const path = "clock.maxSkew";
  const bounds = MAX_SKEW_BOUNDS;
  return Object.freeze({
    maxSkewMs: durationOr(DEFAULTS.clock.maxSkewMs, maxSkew, path, bounds, problems),
  });
}

function resolveDetector(
  input: unknown,
  problems: ConfigurationProblems,
): ResolvedConfiguration["detector"] {
  const given = checkSection(DETECTOR_SCHEMA, input, "detector", problems);
  const heartbeatIntervalMs = durationOr(
    DEFAULTS.detector.heartbeatIntervalMs,
    given.heartbeatInterval,
    "detector.heartbeatInterval",
    HEARTBEAT_BOUNDS,
    problems,
  );
  const path = "detector.suspectAfter";
  const suspectAfterMs = durationOr(
    DEFAULTS.detector.suspectAfterMs,
    given.suspectAfter,
    path,
    SUSPECT_BOUNDS,
    problems,
  );
  const least = LEAST_HEARTBEATS * heartbeatIntervalMs;
  if (suspectAfterMs < least) {
    problems.add({
      path,
      value: given.suspectAfter ?? suspectAfterMs,
      allowed: [`at least ${LEAST_HEARTBEATS} × detector.heartbeatInterval, which is ${least}ms`],
    });
  }
  return Object.freeze({ heartbeatIntervalMs, suspectAfterMs });
}

function resolveLimits(
  input: unknown,
  keyspaces: readonly ResolvedKeyspace[],
  problems: ConfigurationProblems,
): ResolvedConfiguration["limits"] {
  const given = checkSection(LIMITS_SCHEMA, input, "limits", problems);
  const defaults = DEFAULTS.limits;
  const path = "limits.queuedBytes";
  const queuedBytes =
    given.queuedBytes === undefined
      ? defaults.queuedBytes
      : problems.take(
          () => parseSizeBytes(given.queuedBytes, path, QUEUED_BOUNDS),
          defaults.queuedBytes,
        );
  const largest = Math.max(0, ...keyspaces.map(({ maxValueBytes }) => maxValueBytes));
  if (queuedBytes < largest) {
    const allowed = [`at least the largest keyspaces.*.maxValue, which is ${largest} bytes`];
    problems.add({ path, value: given.queuedBytes, allowed });
  }
  return Object.freeze({
    operationsInFlight: given.operationsInFlight ?? defaults.operationsInFlight,
    queuedBytes,
    timeoutMs: durationOr(
      defaults.timeoutMs,
      given.timeout,
      "limits.timeout",
      TIMEOUT_BOUNDS,
      problems,
    ),
    scanPage: given.scanPage ?? defaults.scanPage,
  });
}

function durationOr(
  otherwise: number,
  value: unknown,
  path: string,
  bounds: Bounds,
  problems: ConfigurationProblems,
): number {
  if (value === undefined) return otherwise;
  return problems.take(() => parseDurationMs(value, path, bounds), otherwise);
}
