import {
  type ConfigurationProblem,
  invalidConfiguration,
} from "../model/configuration-problems.ts";
import type { ResolvedConfiguration, ResolvedKeyspace } from "../model/configuration-types.ts";
import type { NodeRecords } from "./node-records.ts";

const PLACEMENT = "placement";
/** Where `machine-host.ts` keeps the cluster's id, from the day on that the node has joined it. */
export const CLUSTER_ID = "cluster-id";

/**
 * What decides which node holds which key, and what is stored of a value: data that was written under
 * one is lost under another.
 */
interface Placement {
  /** `id` or `id@datacenter`, sorted. */
  readonly nodes: readonly string[];
  readonly keyspaces: Readonly<Record<string, KeyspacePlacement>>;
}

type Placed = Pick<ResolvedKeyspace, "strategy" | "shards" | "replicas" | "groupBy">;

interface KeyspacePlacement extends Placed {
  /** What stored states are of; null: values of clients are stored. Absent where it was not written down yet. */
  readonly crdt?: string | null;
}

/** The name of the CRDT that is a keyspace's resolver, by the keyspace's name; undefined if none is. */
export type CrdtOf = (keyspace: string) => string | undefined;

const FIELDS: readonly (keyof Placed)[] = Object.freeze([
  "strategy",
  "shards",
  "replicas",
  "groupBy",
]);

/**
 * Refuses a configuration that looks for the node's data elsewhere than where it was written, which
 * nothing would move there. A keyspace that is new is welcome, and one that is left out
 * keeps its data.
 *
 * @throws CapstanError `INVALID_CONFIGURATION`.
 */
export function checkPlacement(
  records: NodeRecords,
  configuration: ResolvedConfiguration,
  crdtOf: CrdtOf,
): void {
  const kept = readPlacement(records);
  if (kept === undefined) return;
  const given = placementOf(configuration, crdtOf);
  const hasJoined = records.get(CLUSTER_ID) !== undefined;
  // A first start with a wrong file leaves this behind, and nothing else.
  const nothing = "its folder removed, as it has not joined its cluster yet and holds nothing";
  const problems: ConfigurationProblem[] = [];
  const refuse = (path: string, value: unknown, now: string, before: string) =>
    problems.push({
      path,
      value,
      allowed: [before, "another storage.path", ...(hasJoined ? [] : [nothing])],
      reason: `is ${now}, and the data of this node was written under ${before}`,
    });
  const compare = (path: string, value: unknown, before: unknown) => {
    if (textOf(value) !== textOf(before)) refuse(path, value, textOf(value), textOf(before));
  };
  compare("cluster.nodes", given.nodes, kept.nodes);
  for (const [name, before] of Object.entries(kept.keyspaces)) {
    const now = given.keyspaces[name];
    if (now === undefined) continue;
    for (const field of FIELDS) compare(`keyspaces.${name}.${field}`, now[field], before[field]);
    if (before.strategy !== now.strategy || before.crdt === undefined) continue;
    if (before.crdt === now.crdt) continue;
    refuse(`keyspaces.${name}.resolver`, now.crdt, crdtText(now.crdt), crdtText(before.crdt));
  }
  if (problems.length > 0) throw invalidConfiguration(problems);
}

/** Writes it down where data is to be kept, together with keyspaces that were there before. */
export function keepPlacement(
  records: NodeRecords,
  configuration: ResolvedConfiguration,
  crdtOf: CrdtOf,
): void {
  const kept = readPlacement(records);
  const given = placementOf(configuration, crdtOf);
  const keyspaces = { ...kept?.keyspaces, ...given.keyspaces };
  const text = textOf({ nodes: given.nodes, keyspaces });
  if (kept === undefined || textOf(kept) !== text) {
    records.put(PLACEMENT, Buffer.from(text, "utf8"));
  }
}

/** By name; undefined if no start has written any down. */
export function keptKeyspaces(records: NodeRecords): readonly string[] | undefined {
  const kept = readPlacement(records);
  return kept === undefined ? undefined : Object.keys(kept.keyspaces);
}

function placementOf({ cluster, keyspaces }: ResolvedConfiguration, crdtOf: CrdtOf): Placement {
  return {
    nodes: cluster.nodes.map(({ id, datacenter }) =>
      datacenter === undefined ? id : `${id}@${datacenter}`,
    ),
    keyspaces: Object.fromEntries(
      keyspaces.map(({ name, strategy, shards, replicas, groupBy }) => [
        name,
        { strategy, shards, replicas, groupBy, crdt: crdtOf(name) ?? null },
      ]),
    ),
  };
}

function readPlacement(records: NodeRecords): Placement | undefined {
  const bytes = records.get(PLACEMENT);
  return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString("utf8"));
}

function crdtText(name: string | null | undefined): string {
  return name == null ? "none, or one that is no CRDT" : textOf(name);
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
