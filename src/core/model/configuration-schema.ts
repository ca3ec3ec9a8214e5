import { z } from "zod";
import { DURABILITIES } from "./durability.ts";

/**
 * The shapes of a configuration's sections, field by field. Every message is the phrase that says
 * what is allowed; path and value are added where the issue is reported. Durations, sizes,
 * addresses and what depends on other fields are checked behind, where their bounds are known.
 */

/** The group `system` has at most seven voters, and each further replica slows every quorum. */
const MAX_REPLICAS = 7;
/** What a shard id has room for (`ids.ts`). */
const MAX_SHARDS = 65_535;
const MAX_OPERATIONS_IN_FLIGHT = 1_000_000;
/** What a strategy is asked for at once (`ScanRequest.limit`). */
const MAX_SCAN_PAGE = 1_000;
const MAX_SEPARATOR_CHARACTERS = 16;

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NAME_ALLOWED =
  "1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, the first a letter or digit";
const KEYSPACE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const KEYSPACE_ALLOWED = "1 to 63 of a-z, 0-9, underscore and hyphen, the first a letter or digit";
const ADDRESS_ALLOWED = 'text "host:port"';

/** Names of clusters, nodes and datacenters. */
export const NAME_SCHEMA = z.string(NAME_ALLOWED).regex(NAME_PATTERN, NAME_ALLOWED);

export const KEYSPACE_NAME_SCHEMA = z
  .string(KEYSPACE_ALLOWED)
  .regex(KEYSPACE_PATTERN, KEYSPACE_ALLOWED);

/** Fields that the configuration itself has; their sections are checked one by one. */
export const CONFIGURATION_SCHEMA = strict({
  cluster: anything(),
  transport: anything(),
  storage: anything(),
  keyspaces: anything(),
  clock: anything(),
  detector: anything(),
  limits: anything(),
  http: anything(),
  insecure: z.boolean("true, false").optional(),
});

export const CLUSTER_SCHEMA = strict({
  name: NAME_SCHEMA.optional(),
  nodes: anything(),
  key: anything(),
});

export const NODE_SCHEMA = strict(
  {
    peer: z.string(ADDRESS_ALLOWED).optional(),
    http: z.string(ADDRESS_ALLOWED).optional(),
    datacenter: NAME_SCHEMA.optional(),
  },
  `${ADDRESS_ALLOWED}, or an object with peer, http, datacenter`,
);

export const CLOCK_SCHEMA = strict({ maxSkew: anything() });

export const DETECTOR_SCHEMA = strict({ heartbeatInterval: anything(), suspectAfter: anything() });

export const LIMITS_SCHEMA = strict({
  operationsInFlight: whole(1, MAX_OPERATIONS_IN_FLIGHT).optional(),
  queuedBytes: anything(),
  timeout: anything(),
  scanPage: whole(1, MAX_SCAN_PAGE).optional(),
});

/** `transport` and `storage`: further fields are options of what `type` names. */
export const PLUG_IN_SCHEMA = z.looseObject(
  { type: text("the name of what a module binds") },
  "an object with type and the options of that type",
);

/** Further fields are the strategy's. */
export const KEYSPACE_SCHEMA = z.looseObject(
  {
    strategy: text("the name of what a module binds").optional(),
    replicas: whole(1, MAX_REPLICAS).optional(),
    shards: whole(1, MAX_SHARDS).optional(),
    durability: z.enum(DURABILITIES, DURABILITIES.join(", ")).optional(),
    groupBy: anything(),
    maxValue: anything(),
    schema: z.custom<object>(isObjectOrFunction, "a Standard Schema").optional(),
    resolver: z
      .custom<string | object>(isNameOrObject, "the name of a resolver, or a resolver")
      .optional(),
  },
  "an object with strategy, replicas and the like",
);

export const KEYSPACE_FIELDS: readonly string[] = Object.freeze(Object.keys(KEYSPACE_SCHEMA.shape));

const SEPARATOR_ALLOWED = `text of 1 to ${MAX_SEPARATOR_CHARACTERS} characters`;

/** The form of `groupBy` that is not one word. */
export const GROUP_BY_PREFIX_SCHEMA = strict(
  {
    prefix: strict({
      separator: text(SEPARATOR_ALLOWED).max(MAX_SEPARATOR_CHARACTERS, SEPARATOR_ALLOWED),
    }),
  },
  'whole, tag, { prefix: { separator: "…" } }',
);

/** The message for a field that is not there lists those that are, and for another value, `form`. */
function strict<Shape extends z.ZodRawShape>(shape: Shape, form?: string) {
  const names = Object.keys(shape).join(", ");
  const otherwise = form ?? `an object with ${names}`;
  return z.strictObject(shape, {
    error: ({ code }) => (code === "unrecognized_keys" ? names : otherwise),
  });
}

function whole(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  return z.int(allowed).min(min, allowed).max(max, allowed);
}

function text(allowed: string) {
  return z.string(allowed).min(1, allowed);
}

function anything() {
  return z.unknown().optional();
}

function isObjectOrFunction(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isNameOrObject(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
