import { fingerprintOf } from "./cluster-key.ts";
import type { ResolvedConfiguration, ResolvedKeyspace } from "./configuration-types.ts";
import { hashText } from "./hash.ts";
import { isPlainObject } from "./plain-object.ts";

/** Two independent halves: the seeds differ, and that is all that matters of them. */
const SEEDS: readonly number[] = Object.freeze([0x63617073, 0x74616e31]);
const MAX_DEPTH = 20;

/** Paths of options that are each node's own affair, by keyspace. */
export type NodeOptionsOf = (keyspace: ResolvedKeyspace) => readonly string[];

/**
 * 64 bits in hex of what has to be equal on all nodes: the cluster's name, its nodes with their
 * datacenters, its key, the keyspaces. Not of what may differ: addresses, paths, limits, the transport,
 * and of a keyspace's options those that `nodeOptionsOf` names.
 * Tells slips apart, not forgeries.
 */
export function configurationDigest(
  { name, nodes, key }: ResolvedConfiguration["cluster"],
  keyspaces: readonly ResolvedKeyspace[],
  nodeOptionsOf: NodeOptionsOf = () => [],
): string {
  const text = canonicalText(
    {
      cluster: name,
      ...(key === undefined ? {} : { key: fingerprintOf(key) }),
      nodes: nodes.map(({ id, datacenter }) => [id, datacenter]),
      keyspaces: keyspaces.map((keyspace) => sharedOf(keyspace, nodeOptionsOf(keyspace))),
    },
    0,
  );
  return SEEDS.map((seed) => hashText(text, seed).toString(16).padStart(8, "0")).join("");
}

/** What all nodes have to agree on of one keyspace, for `canonicalText`. */
export function sharedOf(keyspace: ResolvedKeyspace, nodeOptions: readonly string[]) {
  const { resolver } = keyspace;
  return {
    name: keyspace.name,
    strategy: keyspace.strategy,
    replicas: keyspace.replicas,
    shards: keyspace.shards,
    groupBy: keyspace.groupBy,
    durability: keyspace.durability,
    resolver: resolver === undefined ? null : nameOf(resolver),
    strategyOptions: without(keyspace.strategyOptions, nodeOptions),
  };
}

/** The options but for those at `paths`, dotted; one that has nothing left is as good as not written. */
function without(
  options: Readonly<Record<string, unknown>>,
  paths: readonly string[],
): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = { ...options };
  for (const path of paths) {
    const [name = "", ...rest] = path.split(".");
    const inner = kept[name];
    if (rest.length === 0) delete kept[name];
    else if (isPlainObject(inner)) {
      const left = without(inner, [rest.join(".")]);
      if (Object.keys(left).length > 0) kept[name] = left;
      else delete kept[name];
    }
  }
  return kept;
}

/** JSON with sorted names; what JSON cannot hold is stood for by its name or its type. */
export function canonicalText(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) return '"…"';
  if (Array.isArray(value)) {
    return `[${value.map((each) => canonicalText(each, depth + 1)).join(",")}]`;
  }
  if (isPlainObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalText(value[key], depth + 1)}`);
    return `{${members.join(",")}}`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return JSON.stringify(nameOf(value));
  return JSON.stringify(value) ?? `(${typeof value})`;
}

function nameOf(value: string | object): string {
  if (typeof value === "string") return value;
  const { name } = value as { readonly name?: unknown };
  return typeof name === "string" ? name : "(object)";
}
