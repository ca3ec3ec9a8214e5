import { z } from "zod";

/**
 * The shapes of what comes in and goes out. Objects that come in are strict: a misspelt
 * `if_versoin` would otherwise make an unconditional write.
 */
const wholeNumber = (name: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,15}$/, `${name} has to be a whole number above 0, without sign or exponent`)
    .transform(Number);

const timeoutMs = wholeNumber("timeout_ms").describe(
  "Deadline of the operation in milliseconds; default: the level's own",
);

export const readQuery = z.strictObject({ timeout_ms: timeoutMs.optional() });

export const writeQuery = z.strictObject({
  timeout_ms: timeoutMs.optional(),
  if_version: z.string().describe("As the body's").optional(),
  if_absent: z
    .enum(["true", "false"])
    .transform((word) => word === "true")
    .describe("As the body's")
    .optional(),
  ttl_ms: wholeNumber("ttl_ms").describe("Life of the value, in milliseconds").optional(),
});

export const MAX_SCAN_LIMIT = 1_000;
export const DEFAULT_SCAN_LIMIT = 100;

export const scanQuery = z.strictObject({
  prefix: z.string().optional(),
  from: z.string().describe("First key, inclusive").optional(),
  to: z.string().describe("Last key, exclusive").optional(),
  limit: wholeNumber("limit")
    .refine((limit) => limit <= MAX_SCAN_LIMIT, `limit is at most ${MAX_SCAN_LIMIT}`)
    .describe(`Entries of this page, 1 to ${MAX_SCAN_LIMIT}; default ${DEFAULT_SCAN_LIMIT}`)
    .optional(),
  cursor: z.string().describe("`cursor` of an entry or page: go on behind it").optional(),
  timeout_ms: timeoutMs.optional(),
});

export const watchQuery = z.strictObject({
  prefix: z.string().describe("Only keys that begin so").optional(),
  cursor: z.string().describe("An earlier event's id: go on behind it").optional(),
  values: z
    .enum(["json", "canonical"])
    .describe("How values stand in `data`: as JSON (default), or base64url of the encoding")
    .optional(),
  timeout_ms: wholeNumber("timeout_ms")
    .describe("Ends the stream if `synced` has not come by then; default: waits")
    .optional(),
});

export const watchHeaders = z.looseObject({
  "last-event-id": z.string().describe("As `cursor`, and stands above it").optional(),
});

const writeFields = {
  context: z.string().describe("What was seen of the key: a `version` (leaderless)").optional(),
  if_version: z.string().describe("Write only if this is the version").optional(),
  if_absent: z.boolean().describe("Write only if there is no value").optional(),
  ttl_ms: z.int().positive().describe("Life of the value, in milliseconds").optional(),
};

export const putBody = z.strictObject({
  value: z.unknown().describe("Any JSON; null is a value"),
  ...writeFields,
});

export const deleteBody = z
  .strictObject({
    context: writeFields.context,
    if_version: writeFields.if_version,
    if_absent: writeFields.if_absent,
  })
  .optional();

export const updateBody = z.strictObject({
  operation: z.unknown().describe("An operation of the keyspace's resolver"),
  context: writeFields.context,
  ttl_ms: writeFields.ttl_ms,
});

/** `POST …/data/{key}/operations`: the operation is the whole body. */
export const operationBody = z
  .unknown()
  .refine((body) => body !== undefined)
  .describe("An operation of the keyspace's resolver");

export const noBody = z.strictObject({}).optional();

/** What a browser or another program sends beside these is its own affair. */
export const readHeaders = z.looseObject({
  "consistency-level": z
    .string()
    .describe("A level of the keyspace, in kebab-case or snake_case; default: the keyspace's")
    .optional(),
  "x-session-token": z
    .string()
    .describe("The answer of the session's last call; `begin` for its first. Answered in kind")
    .optional(),
});

export const writeHeaders = readHeaders.extend({
  "idempotency-key": z
    .string()
    .describe("From `POST …/operation-ids`: makes a retry the very same write")
    .optional(),
  "x-causal-context": z.string().describe("As the body's `context`").optional(),
  "if-match": z.string().describe("An ETag: write only if this is the version").optional(),
  "if-none-match": z.string().describe("`*`: write only if there is no value").optional(),
});

const outcome = z.enum(["applied", "not-applied", "unknown"]);

const receiptFields = {
  consistency_asked: z.string(),
  consistency_achieved: z.string(),
  consistent: z.boolean().describe("Whether the level that was asked for was met"),
  nodes_queried: z.int().describe("Replicas whose answer counted"),
  pending_sync: z.boolean().describe("Whether replicas are known not to hold this state yet"),
  warning: z
    .string()
    .describe("There if the level was not met but the policy allows less")
    .optional(),
  warning_detail: z.string().optional(),
  replicas: z.strictObject({
    total: z.int(),
    answered: z.int(),
    durable: z.int(),
    stand_ins: z.int(),
  }),
  repaired: z.int(),
  epoch: z.int(),
  duration_ms: z.number(),
};

export const foundAnswer = z.strictObject({
  key: z.string(),
  found: z.literal(true),
  conflict: z.literal(true).describe("There, with `siblings`, if versions stand apart").optional(),
  value: z.unknown().optional(),
  siblings: z.array(z.unknown()).optional(),
  versions: z.array(z.string()).describe("A name for each sibling").optional(),
  version: z.string().describe("The `context` of a write that replaces what this shows"),
  ...receiptFields,
});

export const missingAnswer = z.strictObject({
  key: z.string(),
  found: z.literal(false),
  version: z.string().describe("There if a deletion is known").optional(),
  ...receiptFields,
});

export const writtenAnswer = z.strictObject({
  key: z.string(),
  version: z.string(),
  ...receiptFields,
});

export const mismatchAnswer = z.strictObject({
  key: z.string(),
  reason: z.enum(["version-mismatch", "exists", "absent"]),
  current: z.union([foundAnswer, missingAnswer]).describe("What is there instead"),
});

export const scanAnswer = z.strictObject({
  entries: z.array(
    z.strictObject({
      key: z.string(),
      value: z.unknown().optional(),
      conflict: z.literal(true).optional(),
      siblings: z.array(z.unknown()).optional(),
      omitted: z.string().describe("Why JSON cannot hold this entry's value").optional(),
      version: z.string(),
      cursor: z.string(),
    }),
  ),
  more: z.boolean().describe("Whether the range may go on behind this page"),
  cursor: z.string().describe("Where the next page begins").optional(),
});

export const MAX_OPERATION_IDS = 100;
const MAX_FACT_LIMIT = 1_000;

export const operationIdsQuery = z.strictObject({
  count: wholeNumber("count")
    .refine((count) => count <= MAX_OPERATION_IDS, `count is at most ${MAX_OPERATION_IDS}`)
    .describe(`How many, 1 to ${MAX_OPERATION_IDS}; default 1. Each is for one write`)
    .optional(),
});

export const operationIdsAnswer = z.strictObject({
  operation_id: z.string().describe("The first"),
  operation_ids: z.array(z.string()).describe("All of them, for writes in this order"),
});
export const resolveAnswer = z.strictObject({ operation_id: z.string(), outcome });

const unservedAnswer = z.strictObject({
  shards: z.array(z.int()),
  reason: z.enum(["quorum-lost", "too-few-replicas", "no-leader", "lowered", "not-ready"]),
  reads: z.array(z.string()).describe("Levels of reads that are not served"),
  writes: z.array(z.string()).describe("Levels of writes that are not served"),
  missing: z
    .array(z.string())
    .describe("Replicas that are not reached, or lost, or are being rebuilt"),
  held_here: z.boolean().describe("Whether this node has a copy to recover the shards from"),
  log_ends: z
    .array(z.strictObject({ shard: z.int(), term: z.int(), index: z.int() }))
    .optional()
    .describe(
      "Of raft: where the logs of this node's copies end; the later one has the greater term",
    ),
});

/** All that a node which asks for tokens tells who shows none. */
export const healthSummary = z.strictObject({
  total_nodes: z.int(),
  healthy_nodes: z.int(),
  partitioned: z.boolean().describe("Whether this node cannot reach another one"),
  consistency_mode: z.string().describe("CP, AP or tunable: the default keyspace's"),
  writable_partitions: z.int().describe("1 if this node stands with a majority of nodes"),
  read_only_partitions: z.int().describe("1 if it does not"),
  node: z.string(),
  state: z.string(),
  degraded: z.boolean(),
});
export type HealthSummary = z.infer<typeof healthSummary>;

export const healthAnswer = healthSummary.extend({
  cluster: z.string(),
  side: z.enum(["majority", "minority", "isolated"]),
  insecure: z.boolean(),
  storage_problems: z
    .array(
      z.strictObject({ what: z.string(), reason: z.string(), set_aside: z.string().optional() }),
    )
    .describe("There if something stored was found broken when this node opened")
    .optional(),
  nodes: z.array(
    z.strictObject({
      node: z.string(),
      status: z.enum(["active", "joining", "unreachable", "unknown"]),
      datacenter: z.string(),
      address: z.string().optional(),
      http: z.string().optional(),
      silent_ms: z.number().optional(),
      refusal: z.string().optional(),
      lacking: z
        .array(z.string())
        .describe("Keyspaces that others have, and its configuration does not")
        .optional(),
    }),
  ),
  keyspaces: z.array(
    z.strictObject({
      name: z.string(),
      strategy: z.string(),
      replicas: z.int(),
      shards: z.int(),
      read_levels: z.array(z.string()),
      write_levels: z.array(z.string()),
      read_default: z.string(),
      write_default: z.string(),
      batch: z
        .enum(["all-or-nothing", "per-key"])
        .describe("How the writes of a batch take effect; left out where there is none")
        .optional(),
      unserved: z
        .array(unservedAnswer)
        .describe("Shards that do not serve all levels now, as far as this node knows")
        .optional(),
    }),
  ),
});

export const factQuery = z.strictObject({
  keyspace: z.string().describe("Only of this keyspace").optional(),
  key: z.string().describe("Only of this key").optional(),
  before: wholeNumber("before").describe("Rows older than the one with this id").optional(),
  limit: wholeNumber("limit")
    .refine((limit) => limit <= MAX_FACT_LIMIT, `limit is at most ${MAX_FACT_LIMIT}`)
    .describe(`Rows, 1 to ${MAX_FACT_LIMIT}; default 100`)
    .optional(),
});

export const membersQuery = z.strictObject({
  keyspace: z.string(),
  shard: z
    .string()
    .regex(/^\d{1,6}$/, "shard has to be a whole number from 0")
    .transform(Number)
    .describe("From 0"),
  timeout_ms: timeoutMs.optional(),
});

export const membersBody = z.strictObject({
  replicas: z.array(z.string()).describe("All nodes that shall hold the shard"),
});

export const recoveryBody = z.strictObject({
  accept_loss: z
    .literal(true)
    .describe("What only the other replicas had is lost: it has to be said"),
});

export const membersAnswer = z.strictObject({
  keyspace: z.string(),
  shard: z.int(),
  leader: z.string().describe("Left out where all replicas are equals").optional(),
  replicas: z.array(z.string()).describe("Those that decide"),
  learners: z.array(z.string()).describe("Those that are being given the data"),
  changing_to: z.array(z.string()).describe("What a change under way leads to").optional(),
});

const factFields = {
  id: z.int().describe("Rises by one per fact, over one start of the node"),
  at: z.string().describe("ISO 8601"),
  keyspace: z.string(),
  shard: z.int(),
};

const factTotal = z.int().describe("Facts since the node was started; the latest are kept");

export const replicationsAnswer = z.strictObject({
  rows: z
    .array(
      z.strictObject({
        ...factFields,
        writes: z.int().describe("1, or how many writes of a batch the row stands for"),
        key: z.string().optional(),
        key_hash: z.string().optional(),
        operation: z.enum(["put", "delete", "update"]).optional(),
        version: z.string().optional(),
        sequences: z.array(z.int()).describe("Of a batch: the first and the last").optional(),
        source_node: z.string(),
        replicated_to: z.array(z.string()),
      }),
    )
    .describe("The newest first"),
  total: factTotal,
});

export const conflictsAnswer = z.strictObject({
  rows: z
    .array(
      z.strictObject({
        ...factFields,
        key: z.string(),
        key_hash: z.string(),
        conflicting_versions: z.array(z.string()),
        resolution: z.string().describe("The resolver, or `siblings` where they stay apart"),
        resolved_version: z.string().optional(),
        discarded: z.int().describe("Versions that are gone without a descendant"),
        node: z.string().describe("Who met them"),
      }),
    )
    .describe("The newest first"),
  total: factTotal,
});

export const problemAnswer = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  outcome,
  retry: z.enum(["never", "safe", "same-operation-id"]),
  operation_id: z.string().optional(),
  allowed: z.array(z.union([z.string(), z.number()])).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

export type Health = z.infer<typeof healthAnswer>;
