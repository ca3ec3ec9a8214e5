import { checkSection, reportIssues, reportUnknownField } from "./check-section.ts";
import { type ConfigurationProblems, describeValue, joinPath } from "./configuration-problems.ts";
import {
  GROUP_BY_PREFIX_SCHEMA,
  KEYSPACE_FIELDS,
  KEYSPACE_NAME_SCHEMA,
  KEYSPACE_SCHEMA,
} from "./configuration-schema.ts";
import type { GroupBy, ResolvedKeyspace } from "./configuration-types.ts";
import { DEFAULTS } from "./defaults.ts";
import type { Durability } from "./durability.ts";
import { keyspaceHash } from "./hash.ts";
import { editsBetween, plainForm } from "./nearest-name.ts";
import { frozenRecord, isPlainObject } from "./plain-object.ts";
import { parseSizeBytes } from "./sizes.ts";

const MAX_KEYSPACES = 1_000;
const KEYSPACES_ALLOWED = `an object with 1 to ${MAX_KEYSPACES} keyspaces by name`;
const FIELDS_ALLOWED = Object.freeze([...KEYSPACE_FIELDS, "and those of the strategy"]);
const MEMORY = "memory";

/** A frame and a record have to hold it, beside what a strategy adds. */
const MAX_VALUE_BOUNDS = Object.freeze({ min: 1, max: 4 * 1024 * 1024 });

/** The keyspaces of `keyspaces`, sorted by name. */
export function resolveKeyspaces(
  input: unknown,
  storageType: string,
  problems: ConfigurationProblems,
): readonly ResolvedKeyspace[] {
  if (input === undefined) {
    return Object.freeze([resolveKeyspace(DEFAULTS.keyspace.name, {}, storageType, problems)]);
  }
  const entries = isPlainObject(input) ? Object.entries(input) : [];
  if (entries.length === 0 || entries.length > MAX_KEYSPACES) {
    problems.add({ path: "keyspaces", value: input, allowed: [KEYSPACES_ALLOWED] });
  }
  const keyspaces = entries
    .map(([name, keyspace]) => resolveKeyspace(name, keyspace, storageType, problems))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  checkHashes(keyspaces, problems);
  return Object.freeze(keyspaces);
}

function resolveKeyspace(
  name: string,
  input: unknown,
  storageType: string,
  problems: ConfigurationProblems,
): ResolvedKeyspace {
  const path = joinPath("keyspaces", name);
  for (const { message } of KEYSPACE_NAME_SCHEMA.safeParse(name).error?.issues ?? []) {
    const reason = `has a keyspace named ${describeValue(name)}`;
    problems.add({ path: "keyspaces", value: name, allowed: [message], reason });
  }
  const known = checkSection(KEYSPACE_SCHEMA, input, path, problems);
  const defaults = DEFAULTS.keyspace;
  return Object.freeze({
    name,
    hash: keyspaceHash(name),
    strategy: known.strategy ?? defaults.strategy,
    replicas: known.replicas ?? defaults.replicas,
    shards: known.shards ?? defaults.shards,
    durability: durabilityOf(known.durability, storageType, path, problems),
    groupBy: groupByOf(known.groupBy, joinPath(path, "groupBy"), problems),
    maxValueBytes: problems.take(
      () =>
        known.maxValue === undefined
          ? defaults.maxValueBytes
          : parseSizeBytes(known.maxValue, joinPath(path, "maxValue"), MAX_VALUE_BOUNDS),
      defaults.maxValueBytes,
    ),
    schema: known.schema,
    resolver: known.resolver,
    strategyOptions: strategyOptionsOf(input, path, problems),
  });
}

/** Memory cannot keep more than memory: the default gives way, an explicit wish is refused. */
function durabilityOf(
  asked: Durability | undefined,
  storageType: string,
  path: string,
  problems: ConfigurationProblems,
): Durability {
  if (storageType !== MEMORY) return asked ?? DEFAULTS.keyspace.durability;
  if (asked !== undefined && asked !== MEMORY) {
    problems.add({
      path: joinPath(path, "durability"),
      value: asked,
      allowed: [MEMORY, "a storage that persists"],
      reason: `is ${asked}, which storage.type "memory" cannot keep`,
    });
  }
  return MEMORY;
}

function groupByOf(input: unknown, path: string, problems: ConfigurationProblems): GroupBy {
  if (input === undefined) return DEFAULTS.keyspace.groupBy;
  if (input === "whole" || input === "tag") return input;
  const { success, data, error } = GROUP_BY_PREFIX_SCHEMA.safeParse(input);
  if (success) {
    return Object.freeze({ prefix: Object.freeze({ separator: data.prefix.separator }) });
  }
  reportIssues(error.issues, input, path, problems);
  return DEFAULTS.keyspace.groupBy;
}

/**
 * What the strategy has to understand, as it was written. A field that differs from one of the
 * keyspace's own by a single character, or by case, is a slip, and not left to the strategy.
 */
function strategyOptionsOf(
  input: unknown,
  path: string,
  problems: ConfigurationProblems,
): Readonly<Record<string, unknown>> {
  if (!isPlainObject(input)) return Object.freeze({});
  const options: [string, unknown][] = [];
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined || KEYSPACE_FIELDS.includes(field)) continue;
    const isSlip = KEYSPACE_FIELDS.some(
      (own) => editsBetween(plainForm(field), plainForm(own)) <= 1,
    );
    if (isSlip) reportUnknownField(joinPath(path, field), value, FIELDS_ALLOWED, problems);
    else options.push([field, field === "partitionPolicy" ? withHyphens(value) : value]);
  }
  return frozenRecord(options);
}

/** HTTP's words are in snake_case: `prefer_availability`. */
function withHyphens(word: unknown): unknown {
  return typeof word === "string" ? word.replaceAll("_", "-") : word;
}

function checkHashes(
  keyspaces: readonly ResolvedKeyspace[],
  problems: ConfigurationProblems,
): void {
  const names = new Map<number, string>();
  for (const { name, hash } of keyspaces) {
    const other = names.get(hash);
    if (other !== undefined) {
      problems.add({
        path: joinPath("keyspaces", name),
        value: name,
        allowed: ["another name for one of the two"],
        reason: `has the same hash (${hash}) as ${other}, and would share its shards`,
      });
    }
    names.set(hash, name);
  }
}
