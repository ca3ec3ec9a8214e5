import { fingerprintOf } from "./cluster-key.ts";
import { canonicalText, type NodeOptionsOf, sharedOf } from "./configuration-digest.ts";
import type { ResolvedConfiguration, ResolvedKeyspace } from "./configuration-types.ts";
import { hashText } from "./hash.ts";

/** By its path: 32 bits of what is written there. */
export type OutlineFields = ReadonlyMap<string, number>;

/**
 * What has to be equal on all nodes, part by part, so that two nodes whose digests differ can tell
 * where they do: the cluster's own part, and each keyspace by name. Tells slips apart, not forgeries.
 */
export interface ConfigurationOutline {
  readonly cluster: OutlineFields;
  readonly keyspaces: ReadonlyMap<string, OutlineFields>;
}

/** How another node's outline differs from this one's. */
export interface OutlineDifference {
  /** Paths of what both have and is not the same: they cannot work together. */
  readonly conflicts: readonly string[];
  /** Keyspaces that only this node has, sorted. */
  readonly onlyHere: readonly string[];
  /** Keyspaces that only the other one has, sorted. */
  readonly onlyThere: readonly string[];
}

/** Covers what `configurationDigest` covers. */
export function outlineOf(
  { nodes, key }: ResolvedConfiguration["cluster"],
  keyspaces: readonly ResolvedKeyspace[],
  nodeOptionsOf: NodeOptionsOf = () => [],
): ConfigurationOutline {
  return Object.freeze({
    cluster: fieldsOf({
      nodes: nodes.map(({ id, datacenter }) => [id, datacenter]),
      key: key === undefined ? null : fingerprintOf(key),
    }),
    keyspaces: Object.freeze(
      new Map(
        keyspaces.map((keyspace) => {
          const { name, strategyOptions, ...own } = sharedOf(keyspace, nodeOptionsOf(keyspace));
          return [name, fieldsOf({ ...strategyOptions, ...own })];
        }),
      ),
    ),
  });
}

export function compareOutlines(
  ours: ConfigurationOutline,
  theirs: ConfigurationOutline,
): OutlineDifference {
  const conflicts = differing("cluster", ours.cluster, theirs.cluster);
  for (const [name, fields] of ours.keyspaces) {
    const others = theirs.keyspaces.get(name);
    if (others !== undefined) conflicts.push(...differing(`keyspaces.${name}`, fields, others));
  }
  return Object.freeze({
    conflicts,
    onlyHere: missing(ours.keyspaces, theirs.keyspaces),
    onlyThere: missing(theirs.keyspaces, ours.keyspaces),
  });
}

function fieldsOf(parts: Readonly<Record<string, unknown>>): OutlineFields {
  const written = Object.keys(parts).filter((path) => parts[path] !== undefined);
  const hashes = written
    .sort()
    .map((path) => [path, hashText(canonicalText(parts[path]))] as const);
  return Object.freeze(new Map(hashes));
}

function differing(of: string, ours: OutlineFields, theirs: OutlineFields): string[] {
  const paths = new Set([...ours.keys(), ...theirs.keys()]);
  return [...paths]
    .filter((path) => ours.get(path) !== theirs.get(path))
    .sort()
    .map((path) => `${of}.${path}`);
}

function missing(of: ReadonlyMap<string, unknown>, from: ReadonlyMap<string, unknown>): string[] {
  return [...of.keys()].filter((name) => !from.has(name)).sort();
}
