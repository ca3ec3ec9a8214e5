import { fingerprintOf } from "./cluster-key.ts";
import type { ResolvedKeyspace, ResolvedNode } from "./configuration-types.ts";
import { hashText } from "./hash.ts";
import { isPlainObject } from "./plain-object.ts";

/** Two independent halves: the seeds differ, and that is all that matters of them. */
const SEEDS: readonly number[] = Object.freeze([0x63617073, 0x74616e31]);
const MAX_DEPTH = 20;

/**
 * 64 bits in hex of what has to be equal on all nodes: the cluster's name, its nodes with their
 * datacenters, its key, the keyspaces. Not of what may differ: addresses, paths, limits, the transport.
 * Tells slips apart, not forgeries.
 */
export function configurationDigest(
  clusterName: string,
  nodes: readonly ResolvedNode[],
  keyspaces: readonly ResolvedKeyspace[],
  key?: Uint8Array,
): string {
  const text = canonicalText(
    {
      cluster: clusterName,
      ...(key === undefined ? {} : { key: fingerprintOf(key) }),
      nodes: nodes.map(({ id, datacenter }) => [id, datacenter]),
      keyspaces: keyspaces.map(
        ({ name, strategy, replicas, shards, groupBy, durability, resolver, strategyOptions }) => ({
          name,
          strategy,
          replicas,
          shards,
          groupBy,
          durability,
          resolver: resolver === undefined ? null : nameOf(resolver),
          strategyOptions,
        }),
      ),
    },
    0,
  );
  return SEEDS.map((seed) => hashText(text, seed).toString(16).padStart(8, "0")).join("");
}

/** JSON with sorted names; what JSON cannot hold is stood for by its name or its type. */
function canonicalText(value: unknown, depth: number): string {
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
